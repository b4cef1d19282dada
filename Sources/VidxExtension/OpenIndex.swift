import CVidxExtension
import VidxIndexes
import VidxSQLite
import VidxSegments

/// What a `vidx_index` is.
final class OpenIndex: Sendable {
  typealias Described = (snapshot: IndexSnapshot, contents: IndexContents)

  let reader: IndexReader
  /// With VIDX_SNAPSHOT: what searches see. nil without: they ask the reader.
  private let fixed: Locked<Fixed>?
  /// Of the state in which it was opened.
  let firstDimensions: Int
  /// What searches work in, kept for the next.
  let memories = ObjectPool<SearchMemory>()

  private struct Fixed {
    var described: Described
    /// Another after every refresh.
    var version: UInt64
  }

  init(path: String, name: String, isSnapshot: Bool) throws {
    reader = try Self.reader(path: path, name: name)
    let described = try reader.described()
    firstDimensions = described.snapshot.configuration.dimensions
    fixed = isSnapshot ? Locked(Fixed(described: described, version: 1)) : nil
  }

  private static func reader(path: String, name: String) throws -> IndexReader {
    do { return try IndexReader(path: path, name: name) } catch let error as StoreError {
      guard case .noIndex = error else { throw error }
      let names = try Connection(path: path).indexNames()
      let advice = names.isEmpty ? "there is none in it; build one first" : "there are \(names.joined(separator: ", "))"
      throw Failure(VIDX_NO_INDEX, "there is no vidx index \(name) in \(path): \(advice)")
    }
  }

  func snapshot() throws -> IndexSnapshot {
    guard let fixed else { return try reader.snapshot() }
    return fixed.withLock { $0.described.snapshot }
  }

  /// Of the state that searches see: an index may be made anew with others. Where that cannot be read, as when the
  /// index is gone, of that in which it was opened.
  var dimensions: Int { (try? snapshot())?.configuration.dimensions ?? firstDimensions }

  /// What searches see, and the rows of it that a filter lets pass.
  func resolve(
    _ filter: ReaderFilter, _ limits: @autoclosure () -> SearchLimits
  ) throws -> ReaderFilter.Resolved {
    guard let fixed else { return try reader.resolve(filter, limits()) }
    let (snapshot, version) = fixed.withLock { ($0.described.snapshot, $0.version) }
    return try reader.resolve(filter, for: snapshot, version: version, limits())
  }

  /// The same for one search, which may be made at once.
  func begin(
    _ request: @autoclosure () throws -> StoreRequest, under filter: ReaderFilter,
    _ limits: @autoclosure () -> SearchLimits
  ) throws -> IndexReader.Begun {
    guard let fixed else { return try reader.begin(request(), under: filter, limits()) }
    let (snapshot, version) = fixed.withLock { ($0.described.snapshot, $0.version) }
    return try reader.begin(request(), under: filter, for: snapshot, version: version, limits())
  }

  /// What searches see, and what is in it.
  func described() throws -> Described {
    guard let fixed else { return try reader.described() }
    return fixed.withLock { $0.described }
  }

  func refresh() throws {
    guard let fixed else { return }
    let described = try reader.described()
    fixed.withLock { $0 = Fixed(described: described, version: $0.version + 1) }
  }

  /// The object behind a pointer that `vidx_open` has returned.
  static func of(_ pointer: OpaquePointer?) throws(Failure) -> OpenIndex {
    guard let pointer = unsafe pointer else { throw Failure(VIDX_BAD_ARGUMENT, "the index is NULL; open one") }
    return unsafe Unmanaged<OpenIndex>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
  }
}
