import Vidx
import VidxFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A database that goes away with the object.
final class ScratchDatabase {
  let path: String
  let session: Session

  init(folder: String) throws {
    unsafe mkdir(folder, 0o755)
    path = "\(folder)/benchmark-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).db"
    session = try Session(path: path, mode: .create)
  }

  deinit {
    for suffix in ["", "-wal", "-shm"] { unsafe unlink(path + suffix) }
    guard let directory = unsafe opendir(path + "-vidx") else { return }
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      unsafe unlink("\(path)-vidx/\(name)")
    }
    unsafe closedir(directory)
    unsafe rmdir(path + "-vidx")
  }
}

/// Some vectors of a file.
struct PartOfFile: VectorBlocks {
  let file: any VectorFile
  let range: Range<Int>
  var name: String { file.path }
  var count: Int { range.count }
  var dimensions: Int { file.dimensions }

  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws {
    let shifted = (rows.lowerBound + range.lowerBound)..<(rows.upperBound + range.lowerBound)
    unsafe try file.read(rows: shifted, into: destination)
  }
}

/// All vectors of a file, in memory.
struct MemoryBlocks: VectorBlocks {
  let name: String
  let count: Int
  let dimensions: Int
  private let floats: [Float]

  init(_ file: any VectorFile) throws {
    name = file.path
    count = file.count
    dimensions = file.dimensions
    var floats = [Float](repeating: 0, count: file.count * file.dimensions)
    unsafe try floats.withUnsafeMutableBufferPointer { unsafe try file.read(rows: 0..<file.count, into: $0) }
    self.floats = floats
  }

  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    unsafe floats.withUnsafeBufferPointer { all in
      let part = unsafe UnsafeBufferPointer(rebasing: all[rows.lowerBound * dimensions..<rows.upperBound * dimensions])
      _ = unsafe destination.update(fromContentsOf: part)
    }
  }
}
