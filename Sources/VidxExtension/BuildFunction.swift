public import CVidxExtension
import VidxIndexes
import VidxSQLite
import VidxSegments

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@c(vidx_version)
public func version() -> UnsafePointer<CChar>? { unsafe UnsafePointer(versionText.pointer) }

/// Lives as long as the library.
private let versionText = TextForever(Extension.version)

@safe private struct TextForever: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<CChar>?
  init(_ text: String) { unsafe pointer = vidx_copy_text(text) }
}

@c(vidx_build)
public func build(
  _ path: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?, _ vectors: UnsafePointer<Float>?, _ count: Int,
  _ dimensions: Int, _ ids: UnsafePointer<Int64>?, _ options: UnsafePointer<UnsafePointer<CChar>?>?, _ threads: Int,
  _ progress: vidx_progress?, _ context: UnsafeMutableRawPointer?, _ error: ErrorText?
) -> Int32 {
  unsafe buildFiltered(
    path, name, vectors, count, dimensions, ids, options, nil, 0, threads, progress, context, error)
}

@c(vidx_build_filtered)
public func buildFiltered(
  _ path: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?, _ vectors: UnsafePointer<Float>?, _ count: Int,
  _ dimensions: Int, _ ids: UnsafePointer<Int64>?, _ options: UnsafePointer<UnsafePointer<CChar>?>?,
  _ columns: UnsafePointer<vidx_column>?, _ columnCount: Int, _ threads: Int, _ progress: vidx_progress?,
  _ context: UnsafeMutableRawPointer?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    let (path, name) = unsafe (try required(path, "path"), try required(name, "name"))
    guard (0...IndexLimits.entries).contains(count) else {
      throw Failure(
        VIDX_BAD_ARGUMENT, "\(count) vectors do not fit into one index; give at most \(IndexLimits.entries)")
    }
    let columns = try unsafe required(columns, "columns", count: columnCount)
    let filters = try unsafe columns.map { column in
      "filter \(quoted(identifier: try unsafe required(column.name, "the name of a column")))"
    }
    let arguments = unsafe ["dimensions=\(dimensions)"] + texts(options) + filters
    guard try IndexArguments.definition(of: arguments).content == nil else {
      throw Failure(VIDX_BAD_ARGUMENT, "content is for indexes made in SQL; leave it out, the vectors are given here")
    }
    let source = try unsafe MemorySource(
      vectors: try required(vectors, "vectors", count: count * dimensions), dimensions: dimensions,
      rowIDs: ids.map { unsafe Array(UnsafeBufferPointer(start: $0, count: count)) } ?? Array(0..<Int64(count)),
      filterColumns: columns.map { column in try unsafe ValueColumn(column, count: count) })
    let report = unsafe ProgressReport(function: progress, context: context)
    try NewIndex(path: path, name: name, arguments: arguments).build(
      source, BuildOptions(threads: threads, progress: report.tell, isCancelled: report.isCancelled))
  }
}

/// The members of a NULL-terminated list.
private func texts(_ list: UnsafePointer<UnsafePointer<CChar>?>?) -> [String] {
  guard var next = unsafe list else { return [] }
  var result: [String] = []
  while let text = unsafe next.pointee {
    unsafe result.append(String(cString: text))
    unsafe next += 1
  }
  return result
}

/// Vectors in the caller's memory.
@safe private struct MemorySource: VectorSource, @unchecked Sendable {
  // @unchecked: nobody writes to the memory while vidx_build runs.
  let vectors: UnsafeBufferPointer<Float>
  let dimensions: Int
  let rowIDs: [Int64]
  let filterColumns: [ValueColumn]

  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) {
    guard let base = unsafe vectors.baseAddress else { return }
    unsafe destination.update(from: base + rows.lowerBound * dimensions, count: rows.count * dimensions)
  }
}

/// Tells the caller how far a build is, and remembers when the caller has had enough.
@safe private final class ProgressReport: @unchecked Sendable {
  // @unchecked: the function may be called from any thread (vidx.h).
  private let function: vidx_progress?
  private let context: UnsafeMutableRawPointer?
  private let stopped = Locked(false)

  init(function: vidx_progress?, context: UnsafeMutableRawPointer?) {
    unsafe (self.function, self.context) = (function, context)
  }

  func tell(_ progress: BuildProgress) {
    guard let function = unsafe function else { return }
    let answer = unsafe progress.stage.rawValue.withCString {
      unsafe function(context, $0, progress.done, progress.total)
    }
    if answer != 0 { stopped.withLock { $0 = true } }
  }

  func isCancelled() -> Bool { stopped.withLock { $0 } }
}

/// An index to be made in a database file.
private struct NewIndex {
  let path: String
  let name: String
  let arguments: [String]

  func build(_ source: MemorySource, _ options: BuildOptions) throws {
    let isNew = unsafe access(path, F_OK) != 0
    let connection = try Connection(path: path)
    do { try build(source, options, connection: connection) } catch {
      if isNew { removeIfEmpty(connection) }
      throw error
    }
  }

  private func build(_ source: MemorySource, _ options: BuildOptions, connection: Connection) throws {
    guard unsafe Extension.register(on: connection.handle) == 0 else {
      throw Failure(VIDX_ERROR, "the vidx module cannot be registered with this SQLite; use version 3.38 or later")
    }
    var made: IndexStore?
    do {
      try connection.transaction {
        try refuseTakenName(connection)
        let definition = arguments.joined(separator: ", ")
        try connection.execute("CREATE VIRTUAL TABLE \(quoted(identifier: name)) USING vidx(\(definition))")
        let store = try IndexStore.open(connection, schema: "main", table: name)
        made = store
        try store.load(source, options: options)
        if options.isCancelled() { throw BuildError.cancelled }
      }
    } catch {
      // Removes the segment that the transaction would have named.
      made?.rollback()
      throw error
    }
    made?.commit()
  }

  private func refuseTakenName(_ connection: Connection) throws {
    if name.isEmpty { throw Failure(VIDX_BAD_ARGUMENT, "the name is empty; give one of at least one letter") }
    let statement = try connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = ? COLLATE NOCASE")
    try statement.bind(name, at: 1)
    guard try !statement.step() else {
      throw Failure(
        VIDX_EXISTS, "\(path) has a \"\(name)\" already; choose another name, or drop it first (DROP TABLE \(name))")
    }
  }

  /// SQLite makes a file before there is anything in it. Another process may have filled it meanwhile, or be about to:
  /// it is removed under the exclusive lock, and only when nothing is in it. What cannot be done is left: the error
  /// that led here is the one to tell.
  private func removeIfEmpty(_ connection: Connection) {
    guard (try? connection.execute("BEGIN EXCLUSIVE")) != nil,
      (try? connection.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").step()) == false
    else { return }
    for suffix in ["", "-journal"] { unsafe _ = unlink(path + suffix) }
    // Goes only when it is empty.
    unsafe _ = rmdir(path + "-vidx")
  }
}
