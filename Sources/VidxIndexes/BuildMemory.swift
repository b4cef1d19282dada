import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the build of a segment takes of memory, and into how many segments rows are shared out so that each stays
/// within what there is.
///
/// An estimate from above: all vectors are taken to be distinct, and codes to be those that take most. Measured builds
/// take 0.6 to 0.9 of it (docs/BENCHMARKS.md).
package struct BuildMemory: Sendable {
  /// Bytes a row.
  package let bytesPerRow: Int

  /// Whatever is built: the process itself, blocks that are read, samples that are measured.
  private static let fixed = 24 << 20
  /// An index of smaller segments would be one in name only.
  private static let fewestRows = 1_000

  package init(_ configuration: IndexConfiguration, filterColumns: Int = 0, threads: Int) {
    var bytes = configuration.vectorBytes + Self.rowBytes + 8 * filterColumns
    let codes = Self.codeBytes(configuration)
    switch configuration.kind {
    case .flat: bytes += codes
    case .ivfflat: bytes += codes + Self.listBytes
    case .hnsw:
      let leaves = Self.leafBytes(configuration)
      bytes += Self.graphBytes(configuration, threads: threads) + max(leaves, codes + Self.listBytes)
    }
    bytesPerRow = bytes
  }

  /// Row id, number of the vector and length, twice while they are sorted; up to four slots to find equal vectors by.
  private static let rowBytes = 8 + 2 * 16 + 4 * 4
  /// The list of each vector, and its place.
  private static let listBytes = 16

  private static func codeBytes(_ configuration: IndexConfiguration) -> Int {
    let dimensions = configuration.dimensions
    func bytes(_ codec: Codec) -> Int {
      codec == .f32 ? 0 : codec.rowBytes(dimensions: dimensions) + codec.extensionRowBytes(dimensions: dimensions)
    }
    return switch configuration.codec {
    case .fixed(let codec): bytes(codec)
    case .auto: ([.f16] + CodecChooser.candidates).map(bytes).max() ?? 0
    }
  }

  /// A byte a component (`ByteRows`); links with their scores at the base, and above it for one vector in M.
  private static func graphBytes(_ configuration: IndexConfiguration, threads: Int) -> Int {
    let m = configuration.m
    return ((configuration.dimensions + 63) & ~63) + 16 + 2 * m * 8 + 8 * m / max(m - 1, 1) + 16 + 4 * threads
  }

  /// See `LeafNeighbours`.
  private static func leafBytes(_ configuration: IndexConfiguration) -> Int {
    let overlap = HNSWBuilder.overlap(efConstruction: configuration.efConstruction)
    if overlap > HNSWBuilder.mostOverlap { return 0 }
    return overlap * 4 * (2 * HNSWBuilder.nearestInLeaf(m: configuration.m) + 3)
  }

  /// Of a segment.
  package func bytes(rows: Int) -> Int { Self.fixed + rows * bytesPerRow }

  /// How many rows a segment may have to be built within so many bytes.
  package func rows(within bytes: Int) -> Int { max(0, bytes - Self.fixed) / bytesPerRow }

  /// - Throws: `BuildError.tooLittleMemory` for bytes within which no segment could be built.
  package func check(_ bytes: Int) throws(BuildError) {
    if rows(within: bytes) >= Self.fewestRows { return }
    throw .tooLittleMemory(bytes: bytes, needed: self.bytes(rows: Self.fewestRows))
  }

  /// The rows of each segment: as few segments as memory takes, of about equal size.
  /// - Throws: `BuildError.tooLittleMemory`.
  package func parts(of count: Int, within bytes: Int) throws(BuildError) -> [Range<Int>] {
    let most = min(rows(within: bytes), IndexLimits.entries)
    if count <= most { return [0..<count] }
    guard most >= Self.fewestRows else {
      throw .tooLittleMemory(bytes: bytes, needed: self.bytes(rows: min(Self.fewestRows, count)))
    }
    let parts = (count + most - 1) / most
    return (0..<parts).map { $0 * count / parts..<($0 + 1) * count / parts }
  }
}

extension BuildMemory {
  /// Bytes, of a text as 512M, 8G or 1.5GiB; nil for what is none.
  package static func bytes(of text: String) -> Int? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let units = ["K": 10, "M": 20, "G": 30, "T": 40]
    let unit = text.dropFirst(digits.count).uppercased()
    guard let value = Double(digits), value > 0, value < 1e6,
      let shift = units.first(where: { [$0.key, $0.key + "B", $0.key + "IB"].contains(unit) })?.value
    else { return nil }
    return Int(value * Double(1 << shift))
  }

  /// What builds may take when nobody says: three quarters of the machine's, or of what the process is held to.
  package static let standard = limit() / 4 * 3

  private static func limit() -> Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let physical = pages > 0 ? pages * max(sysconf(Int32(_SC_PAGESIZE)), 1) : 8 << 30
    return min(physical, controlGroupLimit() ?? physical)
  }

  /// Of the process's control group (version 2); nil without one.
  private static func controlGroupLimit() -> Int? {
    guard let file = unsafe fopen("/sys/fs/cgroup/memory.max", "r") else { return nil }
    defer { unsafe fclose(file) }
    var text = [CChar](repeating: 0, count: 32)
    guard unsafe fgets(&text, Int32(text.count), file) != nil else { return nil }
    // "max", where there is no limit, is no number.
    return Int(String(decoding: text.map(UInt8.init(bitPattern:)).prefix { $0 > 0x20 }, as: UTF8.self))
  }
}
