internal import Synchronization
import VidxIndexes
import VidxVectors

/// The delta in memory: vectors not yet in a segment, ready to be scored one after the other. Written by one thread.
///
/// Vectors lie in slots without gaps, in no order; a removed one is replaced by the last. Rows whose vector is zero
/// under cosine are known, but have no slot: nothing is near them.
@safe final class DeltaCache: @unchecked Sendable {
  // @unchecked: one connection's; the threads of a batch only read it, while that waits for them.
  let dimensions: Int
  let metric: Metric
  let stride: Int
  /// Another for every cache that is made: slots are numbers within one of them.
  let serial = DeltaCache.made.wrappingAdd(1, ordering: .relaxed).newValue
  /// How many vectors there are to score.
  private(set) var slotCount = 0
  private var capacity = 0
  private var buffer: AlignedBuffer
  /// The row id of each slot.
  private(set) var rowIDs: [Int64] = []
  /// The values of each slot's row in the filter columns.
  private(set) var values: [[ColumnValue]] = []
  /// The slot of each row id; `noSlot` for a zero vector.
  private var slots: [Int64: UInt32] = [:]
  /// Codes of the slots, where there are many of them.
  private var codes: SlotCodes?
  /// Whether there are codes for such vectors.
  private var mayCode = true

  /// Counts what other threads have read.
  private let reads = Atomic<UInt64>(0)

  private static let noSlot = UInt32.max
  private static let made = Atomic<UInt64>(0)

  init(dimensions: Int, metric: Metric) {
    self.dimensions = dimensions
    self.metric = metric
    stride = VectorLayout.stride(dimensions: dimensions)
    buffer = AlignedBuffer(byteCount: 0)
  }

  /// Reads, on any thread, while a reference says that it must not be changed.
  func reading<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    defer { reads.wrappingAdd(1, ordering: .releasing) }
    return try body()
  }

  /// What other threads have read comes before what the caller changes, now that it has the only reference. The counts
  /// of references order the two as well, where the thread sanitizer does not see it.
  func beginsToChange() { _ = reads.load(ordering: .acquiring) }

  /// Rows, those with a zero vector included.
  var count: Int { slots.count }

  var floats: UnsafePointer<Float> { unsafe UnsafePointer(buffer.floats) }

  func contains(_ rowID: Int64) -> Bool { slots[rowID] != nil }

  /// The slot of a row; nil when there is no such row, or nothing to score.
  func slot(of rowID: Int64) -> UInt32? {
    guard let slot = slots[rowID], slot != Self.noSlot else { return nil }
    return slot
  }

  /// The rows that are in an ascending list of row ids: how many, and the slots of those that have one.
  /// - Complexity: O(min(row ids, delta x log(row ids))).
  func rows(among sorted: [Int64]) -> (count: Int, slots: [UInt32]) {
    var count = 0
    var passing: [UInt32] = []
    func add(_ slot: UInt32?) {
      guard let slot else { return }
      count += 1
      if slot != Self.noSlot { passing.append(slot) }
    }
    if sorted.count <= slots.count {
      for rowID in sorted { add(slots[rowID]) }
    } else {
      for (rowID, slot) in slots where Self.contains(rowID, in: sorted) { add(slot) }
      passing.sort()
    }
    return (count, passing)
  }

  private static func contains(_ rowID: Int64, in sorted: [Int64]) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < rowID { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == rowID
  }

  /// Adds a row or replaces its vector.
  /// - Parameters:
  ///   - vector: `dimensions` floats as the user gave them.
  ///   - values: those of the filter columns.
  /// - Throws: when a component is not finite or the length overflows; the row is then as it was.
  func put(_ rowID: Int64, _ vector: UnsafePointer<Float>, _ values: [ColumnValue] = []) throws(VectorError) {
    unsafe try requireComparable(vector, count: dimensions)
    // The new vector is made ready behind the last slot, so that a refusal leaves all as it was.
    reserve(slotCount + 1)
    let spare = unsafe buffer.floats + slotCount * stride
    unsafe spare.update(from: vector, count: dimensions)
    unsafe (spare + dimensions).update(repeating: 0, count: stride - dimensions)
    let isZero = metric == .cosine ? unsafe normalise(spare, count: dimensions) == 0 : false
    if isZero {
      remove(rowID)
      slots[rowID] = Self.noSlot
    } else if let slot = slot(of: rowID) {
      unsafe (buffer.floats + Int(slot) * stride).update(from: spare, count: stride)
      unsafe codes?.change(Int(slot), to: spare)
      self.values[Int(slot)] = values
    } else {
      slots[rowID] = UInt32(slotCount)
      rowIDs.append(rowID)
      self.values.append(values)
      slotCount += 1
    }
  }

  func remove(_ rowID: Int64) {
    guard let slot = slots.removeValue(forKey: rowID), slot != Self.noSlot else { return }
    let last = slotCount - 1
    unsafe codes?.move(last: last, to: Int(slot), buffer.floats + last * stride)
    if Int(slot) != last {
      unsafe (buffer.floats + Int(slot) * stride).update(from: buffer.floats + last * stride, count: stride)
      rowIDs[Int(slot)] = rowIDs[last]
      values[Int(slot)] = values[last]
      slots[rowIDs[last]] = slot
    }
    rowIDs.removeLast()
    values.removeLast()
    slotCount = last
  }

  /// Whether codes would spare much of a scan.
  var isLargelyUncoded: Bool { slotCount - (codes?.count ?? 0) >= Self.fewestCoded }

  /// Codes some of what has been put, where scans gain by codes: a part, which spares whoever searches next to wait for
  /// all of them.
  /// - Parameter wholly: all, where they are many: for those who code before they search, not each time they do.
  /// - Complexity: some 3 us for a vector of 384 dimensions.
  func code(wholly: Bool = false) {
    if slotCount < Self.fewestCoded || !mayCode { return }
    if codes == nil { codes = SlotCodes(metric, dimensions: dimensions, origin: mean()) }
    guard let codes else {
      mayCode = false
      return
    }
    let missing = slotCount - codes.count
    let part = wholly && missing > Self.fewestCoded ? missing : max(missing / 8, Self.codedAtOnce)
    unsafe codes.extend(to: codes.count + min(missing, part), floats, stride: stride)
  }

  /// The codes that a scan of so many slots for the k nearest is to read; nil where it is to read the vectors.
  func codes(scanning count: Int, k: Int) -> SlotCodes? {
    guard let codes, count >= max(Self.fewestCoded, 16 * k) else { return nil }
    return codes
  }

  private static let codedAtOnce = 16

  /// Fewer vectors are scored as fast as codes are, and what those select.
  private static let fewestCoded = 512

  /// The mean of the vectors, of the first some thousands.
  private func mean() -> [Float] {
    let count = min(slotCount, 4_096)
    var sums = [Float](repeating: 0, count: dimensions)
    for slot in 0..<count {
      let vector = unsafe floats + slot * stride
      for i in 0..<dimensions { unsafe sums[i] += vector[i] / Float(count) }
    }
    return sums
  }

  private func reserve(_ count: Int) {
    if count <= capacity { return }
    let newCapacity = max(count, capacity * 2, 64)
    let grown = AlignedBuffer(byteCount: newCapacity * stride * MemoryLayout<Float>.stride)
    unsafe grown.floats.update(from: buffer.floats, count: slotCount * stride)
    buffer = grown
    capacity = newCapacity
  }
}
