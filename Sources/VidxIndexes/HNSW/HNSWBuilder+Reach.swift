import Synchronization
import VidxVectors

extension HNSWBuilder {
  /// Links in what no path leads to. Shortening lists can cut the last link to a node, often so for inner products,
  /// where long vectors crowd out short ones; such a row would never be found.
  ///
  /// Runs alone, after all insertions. An unreached node is linked from the nearest reached one that has room, so that
  /// nothing is cut; what it links to is then reached too, and it has room for the next. Only when no reached node has
  /// room does a link give way, to a node that others link to as well; then all is looked at once more.
  /// - Complexity: O(links) when all is well.
  func linkUnreached() {
    guard vectorCount > 1, entry.load(ordering: .acquiring) != Self.noEntry else { return }
    for _ in 0..<64 {
      var rescue = Rescue(reached: RowSet(capacity: vectorCount))
      mark(from: entryOrdinal, rescue.reached)
      var hasCut = false
      for ordinal in 0..<vectorCount where !rescue.reached.contains(ordinal) {
        if let host = roomyHost(for: ordinal, &rescue) {
          link(host, to: ordinal, at: neighbours(host).count)
        } else if let (host, place) = cuttableHost(for: ordinal, rescue) {
          link(host, to: ordinal, at: place)
          hasCut = true
        } else {
          continue
        }
        mark(from: ordinal, rescue.reached)
        rescue.linked.append(ordinal)
      }
      if !hasCut { return }
    }
  }

  /// One round: what is reached, what has been linked in, and how far the search for room has come.
  private struct Rescue {
    let reached: RowSet
    var linked: [Int] = []
    var cursor = 0
  }

  private var entryOrdinal: Int {
    let start = entry.load(ordering: .acquiring)
    let node = Int(start & 0xFFFF_FFFF)
    return start >> 32 > 0 ? Int(upperOrdinals[node]) : node
  }

  private func neighbours(_ ordinal: Int) -> [Int] {
    var result: [Int] = []
    for i in 0..<baseDegree {
      let id = unsafe baseLinks[ordinal * baseDegree + i].load(ordering: .relaxed)
      if id == HNSWGraph.unused { break }
      result.append(Int(id))
    }
    return result
  }

  private func hasRoom(_ ordinal: Int) -> Bool {
    unsafe baseLinks[(ordinal + 1) * baseDegree - 1].load(ordering: .relaxed) == HNSWGraph.unused
  }

  private func mark(from start: Int, _ reached: RowSet) {
    var stack = [start]
    reached.insert(start)
    while let node = stack.popLast() {
      for i in 0..<baseDegree {
        let id = unsafe baseLinks[node &* baseDegree &+ i].load(ordering: .relaxed)
        if id == HNSWGraph.unused { break }
        if reached.contains(Int(id)) { continue }
        reached.insert(Int(id))
        stack.append(Int(id))
      }
    }
  }

  /// The nearest reached node with room among those two links away and those linked in lately; failing these, any.
  private func roomyHost(for ordinal: Int, _ rescue: inout Rescue) -> Int? {
    let near = neighbours(ordinal)
    let candidates = near + near.flatMap { neighbours($0) } + rescue.linked.suffix(256)
    let roomy = Set(candidates).filter { $0 != ordinal && rescue.reached.contains($0) && hasRoom($0) }
    if let host = roomy.min(by: { score($0, ordinal) < score($1, ordinal) }) { return host }
    while rescue.cursor < vectorCount {
      if rescue.reached.contains(rescue.cursor), hasRoom(rescue.cursor) { return rescue.cursor }
      rescue.cursor += 1
    }
    return nil
  }

  /// A reached node near it whose farthest link can be cut: to a node that another reached one links to.
  private func cuttableHost(for ordinal: Int, _ rescue: Rescue) -> (host: Int, place: Int)? {
    let hosts = neighbours(ordinal).filter { rescue.reached.contains($0) } + [entryOrdinal]
    let linked = Set(rescue.linked)
    for host in hosts where host != ordinal {
      let links = neighbours(host)
      let cuttable = links.indices.filter { place in
        let target = links[place]
        return !linked.contains(target)
          && neighbours(target).contains { $0 != host && neighbours($0).contains(target) }
      }
      if let place = cuttable.max(by: { score(host, links[$0]) < score(host, links[$1]) }) { return (host, place) }
    }
    return nil
  }

  private func score(_ a: Int, _ b: Int) -> Float { unsafe kernels.one(vector(a), vector(b), stride) }

  private func link(_ host: Int, to ordinal: Int, at place: Int) {
    let list = list(host, 0)
    unsafe list.scores[place] = score(host, ordinal)
    unsafe list.links[place].store(UInt32(ordinal), ordering: .relaxed)
  }
}
