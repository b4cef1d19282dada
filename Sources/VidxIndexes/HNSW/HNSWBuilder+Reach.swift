import Synchronization
import VidxVectors

extension HNSWBuilder {
  /// Links in what no path leads to. Shortening lists can cut the last link to a node, often so for inner products,
  /// where long vectors crowd out short ones; such a row would never be found.
  ///
  /// Runs alone, after all insertions. An unreached node is linked from a reached one near it: where a list has room,
  /// otherwise in place of its farthest link. That may cut off another node, so it looks again, a few times.
  /// - Complexity: O(links) a round; one round when all is well.
  func linkUnreached() {
    guard vectorCount > 1, entry.load(ordering: .acquiring) != Self.noEntry else { return }
    for _ in 0..<8 {
      let reached = RowSet(capacity: vectorCount)
      mark(from: entryOrdinal, reached)
      var missing = 0
      for ordinal in 0..<vectorCount where !reached.contains(ordinal) {
        missing += 1
        if let host = host(for: ordinal, reached) { replaceLink(of: host, by: ordinal) }
        mark(from: ordinal, reached)
      }
      if missing == 0 { return }
    }
  }

  private var entryOrdinal: Int {
    let start = entry.load(ordering: .acquiring)
    let node = Int(start & 0xFFFF_FFFF)
    return start >> 32 > 0 ? Int(upperOrdinals[node]) : node
  }

  private func neighbours(_ ordinal: Int) -> [UInt32] {
    var result: [UInt32] = []
    for i in 0..<baseDegree {
      let id = unsafe baseLinks[ordinal * baseDegree + i].load(ordering: .relaxed)
      if id == HNSWGraph.unused { break }
      result.append(id)
    }
    return result
  }

  private func mark(from start: Int, _ reached: RowSet) {
    var stack = [start]
    reached.insert(start)
    while let node = stack.popLast() {
      for id in neighbours(node) where !reached.contains(Int(id)) {
        reached.insert(Int(id))
        stack.append(Int(id))
      }
    }
  }

  /// A reached node to link from: among its neighbours and theirs, one with room, otherwise the nearest; failing
  /// all, the entry point.
  private func host(for ordinal: Int, _ reached: RowSet) -> Int? {
    let near = neighbours(ordinal)
    let nearer = near.filter { reached.contains(Int($0)) }
    let wider = near.flatMap { neighbours(Int($0)) }.filter { Int($0) != ordinal && reached.contains(Int($0)) }
    if let roomy = (nearer + wider).first(where: { neighbours(Int($0)).count < baseDegree }) { return Int(roomy) }
    return (nearer.first ?? wider.first).map { Int($0) } ?? (entryOrdinal == ordinal ? nil : entryOrdinal)
  }

  private func replaceLink(of host: Int, by ordinal: Int) {
    let (links, scores, degree) = unsafe list(host, 0)
    let score = unsafe kernels.one(vector(host), vector(ordinal), stride)
    var place = neighbours(host).count
    if place == degree {
      place = 0
      for i in 1..<degree where unsafe scores[i] > scores[place] { place = i }
    }
    unsafe scores[place] = score
    unsafe links[place].store(UInt32(ordinal), ordering: .relaxed)
  }
}
