import VidxIndexes
import VidxVectors

/// What a search of a snapshot works in, to be used again: once it has been used, searches of the same index for no
/// more rows allocate nothing. Belongs to one search at a time.
@safe package final class SearchMemory {
  private(set) var query = PreparedQuery(unpreparedOf: 1, metric: .l2)
  /// Found by several parts of an index, for the nearest of all.
  var nearest = TopK(k: 0)
  private(set) var hits = UnsafeMutablePointer<Hit>.allocate(capacity: 16)
  private var capacity = 16

  package init() {}

  deinit { unsafe hits.deallocate() }

  /// Makes a query ready.
  func prepare(_ vector: UnsafeBufferPointer<Float>, _ configuration: IndexConfiguration) throws(VectorError) {
    if query.dimensions != configuration.dimensions || query.metric != configuration.metric {
      query = PreparedQuery(unpreparedOf: configuration.dimensions, metric: configuration.metric)
    }
    unsafe try query.prepare(vector)
  }

  /// Makes room for `count` hits; those there were are lost.
  func reserve(_ count: Int) {
    if count <= capacity { return }
    unsafe hits.deallocate()
    capacity = count
    unsafe hits = .allocate(capacity: count)
  }
}
