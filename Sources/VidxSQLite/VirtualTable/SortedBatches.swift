/// A stream of rows, put in order batch by batch: nearest first, ties by row id. Belongs to one cursor.
///
/// A graph or lists hand out rows nearly in order. Whoever reads a few wants them sorted, and whoever reads many wants
/// them soon: so the first batch holds more rows than most queries read, and each is larger than the one before. Only
/// from one batch to the next may the order step back.
final class SortedBatches {
  private static let firstSize = 64
  private static let largestSize = 1_024

  private let stream: StoreStream
  /// Called whenever the stream has been read.
  private let didRead: () -> Void
  private var size = firstSize
  private var batch: ArraySlice<StoreHit> = []

  init(_ stream: StoreStream, didRead: @escaping () -> Void) {
    self.stream = stream
    self.didRead = didRead
  }

  /// The next row; nil at the end.
  func next() throws -> StoreHit? {
    if batch.isEmpty { try fill() }
    return batch.popFirst()
  }

  private func fill() throws {
    var hits: [StoreHit] = []
    hits.reserveCapacity(size)
    while hits.count < size, let row = try stream.next() {
      hits.append(StoreHit(rowID: row.rowID, distance: row.distance))
    }
    didRead()
    hits.sort { ($0.distance, $0.rowID) < ($1.distance, $1.rowID) }
    batch = hits[...]
    size = min(size * 2, Self.largestSize)
  }
}
