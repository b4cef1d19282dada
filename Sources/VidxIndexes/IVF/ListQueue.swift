import CVidxKernels
import VidxVectors

/// Lists still to be scanned, nearest first, in memory of the search's scratch.
///
/// Lists enter with their score, or with a bound below it that is cheaper to have: such a list is scored when it would
/// come next, and comes when its score says so. The order is that of the scores in any case. Two levels of maxima keep
/// a list's place: most searches take few lists, for which a heap of all would be the larger part of the work.
@safe struct ListQueue {
  /// The negated score or bound of each list; least for those taken, and no NaN.
  private let nearness: UnsafeMutablePointer<Float>
  /// The greatest of each group of lists.
  private let groups: UnsafeMutablePointer<Float>
  private let isBound: UnsafeMutablePointer<UInt8>
  private let listCount: Int
  private let groupSize: Int
  private let groupCount: Int
  private(set) var count: Int

  private static let taken = -Float.infinity
  /// A score that is no number, or too large for one, comes last.
  private static let farthest = -Float.greatestFiniteMagnitude

  /// Bytes the queue needs; aligned as floats.
  static func byteCount(lists: Int) -> Int { lists * 5 + 4 * (lists / 16 + 1) + 8 }

  /// - Parameters:
  ///   - memory: `byteCount(lists:)` bytes, the queue's own; begins with a score for each list.
  ///   - areBounds: the scores are bounds below them.
  init(_ memory: UnsafeMutablePointer<Float>, count: Int, areBounds: Bool) {
    var size = 16
    while size * size < count { size *= 2 }
    groupSize = size
    groupCount = (count + size - 1) / size
    listCount = count
    self.count = count
    unsafe nearness = memory
    unsafe groups = memory + count
    unsafe isBound = UnsafeMutableRawPointer(memory + count + groupCount).assumingMemoryBound(to: UInt8.self)
    unsafe isBound.initialize(repeating: areBounds ? 1 : 0, count: count)
    for i in 0..<count {
      let near = unsafe -memory[i]
      unsafe memory[i] = near > Self.farthest ? near : Self.farthest
    }
    for group in 0..<groupCount { updateGroup(group) }
  }

  /// Takes the nearest list; nil when none is left. Lists at equal scores come in the order of their numbers.
  /// - Parameter score: the score of a list that entered with a bound.
  @inline(__always)
  mutating func pop(_ score: (Int) -> Float) -> Int? {
    while count > 0 {
      var least: Float = 0
      let group = unsafe vidx_nearest_of_products(groups, nil, groupCount, &least)
      let start = group &* groupSize
      let list = unsafe start &+ vidx_nearest_of_products(nearness + start, nil, size(of: group), &least)
      if unsafe isBound[list] == 0 {
        unsafe nearness[list] = Self.taken
        updateGroup(group)
        count &-= 1
        return list
      }
      let near = -score(list)
      unsafe nearness[list] = near > Self.farthest ? near : Self.farthest
      unsafe isBound[list] = 0
      updateGroup(group)
    }
    return nil
  }

  /// Takes the nearest list of those that entered with their score, and the score.
  @inline(__always)
  mutating func popScored() -> (list: Int, score: Float)? {
    if count == 0 { return nil }
    var least: Float = 0
    let group = unsafe vidx_nearest_of_products(groups, nil, groupCount, &least)
    let start = group &* groupSize
    let list = unsafe start &+ vidx_nearest_of_products(nearness + start, nil, size(of: group), &least)
    let score = unsafe -nearness[list]
    unsafe nearness[list] = Self.taken
    updateGroup(group)
    count &-= 1
    return (list, score)
  }

  /// How many of the lists left have a score, or a bound, of at most `limit`.
  func count(upTo limit: Float) -> Int {
    let least = max(-limit, Self.farthest)
    var found: Int32 = 0
    for i in 0..<listCount { unsafe found &+= nearness[i] >= least ? 1 : 0 }
    return Int(found)
  }

  @inline(__always)
  private func size(of group: Int) -> Int { min(groupSize, listCount &- group &* groupSize) }

  @inline(__always)
  private func updateGroup(_ group: Int) {
    var least: Float = 0
    _ = unsafe vidx_nearest_of_products(nearness + group &* groupSize, nil, size(of: group), &least)
    unsafe groups[group] = -least
  }
}
