import Vidx
import VidxFiles

/// Vectors of a file, as the façade loads them.
struct FileVectors: VectorBlocks {
  let file: any VectorFile
  /// What of the objects of a .jsonl file they are; of no meaning for other files.
  let field: String

  var name: String { file.path }
  var count: Int { file.count }
  var dimensions: Int { file.dimensions }
  var fingerprint: String {
    get throws {
      // In digits: it is stored between tabs.
      let field = field.utf8.map { String($0, radix: 16) }.joined(separator: ".")
      return try FileFingerprint.of(file.path) + " field " + field
    }
  }

  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try unsafe file.read(rows: rows, into: destination)
  }
}

/// Rows of a file, as the façade loads them.
struct FileRows: RowSource {
  private let file: any RowFile
  private var reader: any RowReader

  init(_ file: any RowFile) throws(FileError) {
    self.file = file
    reader = try file.makeReader()
  }

  var name: String { file.path }
  var columns: [RowColumn] { file.columns.map { RowColumn(name: $0.name, type: $0.type.rawValue) } }
  var count: Int { file.count }
  var fingerprint: String { get throws { try FileFingerprint.of(file.path) } }
  var place: String { "line \(reader.line)" }

  mutating func next() throws -> [Value]? {
    try reader.next()?.map { field in
      switch field {
      case .null: .null
      case .integer(let integer): .integer(integer)
      case .real(let real): .real(real)
      case .text(let text): .text(text)
      }
    }
  }
}
