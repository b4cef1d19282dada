public import CVidxExtension
import VidxIndexes
import VidxSQLite
import VidxSegments
import VidxVectors

@c(vidx_open)
public func open(
  _ path: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?, _ flags: UInt32,
  _ index: UnsafeMutablePointer<OpaquePointer?>?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    guard flags & ~UInt32(VIDX_SNAPSHOT) == 0 else {
      throw Failure(VIDX_BAD_ARGUMENT, "flags are \(flags); give 0 or VIDX_SNAPSHOT")
    }
    guard let index = unsafe index else { throw Failure(VIDX_BAD_ARGUMENT, "index is NULL; give the place for one") }
    let opened = try unsafe OpenIndex(
      path: required(path, "path"), name: required(name, "name"), isSnapshot: flags & UInt32(VIDX_SNAPSHOT) != 0)
    unsafe index.pointee = OpaquePointer(Unmanaged.passRetained(opened).toOpaque())
  }
}

@c(vidx_close)
public func close(_ index: OpaquePointer?) {
  guard let index = unsafe index else { return }
  unsafe Unmanaged<OpenIndex>.fromOpaque(UnsafeRawPointer(index)).release()
}

@c(vidx_refresh)
public func refresh(_ index: OpaquePointer?, _ error: ErrorText?) -> Int32 {
  unsafe outcome(error) { try unsafe OpenIndex.of(index).refresh() }
}

@c(vidx_dimensions)
public func dimensions(_ index: OpaquePointer?) -> Int { (try? unsafe OpenIndex.of(index).dimensions) ?? 0 }

@c(vidx_search)
public func search(
  _ index: OpaquePointer?, _ query: UnsafePointer<Float>?, _ dimensions: Int, _ k: Int,
  _ settings: UnsafePointer<vidx_search_settings>?, _ ids: UnsafeMutablePointer<Int64>?,
  _ distances: UnsafeMutablePointer<Float>?, _ found: UnsafeMutablePointer<Int>?, _ error: ErrorText?
) -> Int32 {
  unsafe searchOutcome(error) { report in
    let query = try unsafe required(query, "query", count: dimensions)
    let run = try unsafe SearchRun(index, k: k, dimensions: dimensions, settings: settings, query: query)
    let count = try unsafe run.search(query, ids, distances, &report)
    unsafe found?.pointee = count
  }
}

@c(vidx_search_batch)
public func searchBatch(
  _ index: OpaquePointer?, _ queries: UnsafePointer<Float>?, _ count: Int, _ dimensions: Int, _ k: Int,
  _ settings: UnsafePointer<vidx_search_settings>?, _ threads: Int, _ ids: UnsafeMutablePointer<Int64>?,
  _ distances: UnsafeMutablePointer<Float>?, _ error: ErrorText?
) -> Int32 {
  unsafe searchOutcome(error) { report in
    let run = try unsafe SearchRun(index, k: k, dimensions: dimensions, settings: settings)
    guard (0...IndexLimits.entries).contains(count) else {
      throw Failure(VIDX_BAD_ARGUMENT, "\(count) queries are too many; give at most \(IndexLimits.entries)")
    }
    let batch = try unsafe QueryBatch(
      queries: required(queries, "queries", count: count * dimensions), dimensions: dimensions, ids: ids,
      distances: distances)
    try unsafe run.search(
      batch, count: count, threads: threads > 0 ? threads : Parallel.processorCount, &report)
  }
}

/// Runs a search and keeps its report for the thread: an empty one when it fails.
private func searchOutcome(_ message: ErrorText?, _ body: (inout vidx_search_report) throws -> Void) -> Int32 {
  var report = unsafe vidx_search_report()
  let code = unsafe outcome(message) { try unsafe body(&report) }
  if code != VIDX_OK { unsafe report = vidx_search_report() }
  unsafe vidx_note_search(&report)
  return code
}
