/// Which state of an index the database holds: what caches compare themselves with. One small row of t_config.
///
/// The marks are random, drawn anew at each change, so that a state that was rolled back is never taken for a later one
/// that counts up to the same number.
struct Revision: Equatable {
  /// Changes with every change of the index.
  var token: UInt64
  /// Changes when a row leaves the delta; not when rows are added or replaced, which their stamps tell.
  var deltaMark: UInt64
  /// Changes with the manifest and with the tombstones.
  var settledMark: UInt64
  /// The stamp of the last change. Never goes down, so a stamp above it is a later change of a row of the delta.
  var stamp: Int64

  static let byteCount = 32

  /// No index comes to so many changes: a larger stamp was not written by vidx, and could not be counted on from.
  private static let highestStamp: Int64 = 1 << 62

  /// The revision of an empty index.
  static func initial() -> Revision {
    Revision(token: random(), deltaMark: random(), settledMark: random(), stamp: 0)
  }

  /// The revision after one more change, which is not yet said to remove or settle anything.
  func next() -> Revision {
    var result = self
    result.token = Self.random()
    result.stamp += 1
    return result
  }

  static func random() -> UInt64 { .random(in: .min ... .max) }
}

extension Revision {
  /// - Returns: nil unless there are exactly `byteCount` bytes, and a stamp that can be.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count == Self.byteCount else { return nil }
    func word(_ index: Int) -> UInt64 {
      UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
    }
    let stamp = Int64(bitPattern: word(3))
    guard stamp >= 0, stamp < Self.highestStamp else { return nil }
    self.init(token: word(0), deltaMark: word(1), settledMark: word(2), stamp: stamp)
  }

  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let words = (
      token.littleEndian, deltaMark.littleEndian, settledMark.littleEndian, UInt64(bitPattern: stamp).littleEndian
    )
    return try unsafe withUnsafeBytes(of: words) { (bytes) throws(Failure) in unsafe try body(bytes) }
  }
}
