import Synchronization

extension HNSWBuilder {
  /// Most entries of the log that are looked at in one go.
  static let entriesAtOnce = 32

  /// Writes a node's own links in its layers, and enters it into the log when other threads insert too: who entered
  /// since `scratch.known` may have become one of the neighbours chosen.
  func enter(_ ordinal: Int, highest: Int, _ scratch: BuildScratch) {
    guard let log = scratch.log else { return writeLinks(ordinal, highest: highest, scratch) }
    var known = scratch.known
    repeat {
      let size = log.size
      unsafe admit(log.ordinals + known, size - known, ordinal, highest: highest, scratch)
      known = size
      // Nobody links to it before it is entered, so its lists are its own until then.
      writeLinks(ordinal, highest: highest, scratch)
    } while !log.enter(ordinal, scratch.thread, known: known)
  }

  private func writeLinks(_ ordinal: Int, highest: Int, _ scratch: BuildScratch) {
    for layer in 0..<(highest + 1) {
      let list = list(layer == 0 ? ordinal : Int(upperNodes[ordinal]), layer)
      let chosen = scratch.chosen(in: layer)
      let count = scratch.chosenCounts[layer]
      for i in 0..<list.degree {
        unsafe list.links[i].store(i < count ? chosen.ids[i] : HNSWGraph.unused, ordering: .relaxed)
      }
      unsafe list.scores.update(from: chosen.scores, count: count)
      unsafe list.diverse.pointee = UInt16(count)
    }
  }

  /// Chooses the neighbours in each layer anew, out of those chosen and some vectors that others have inserted.
  private func admit(
    _ others: UnsafePointer<UInt32>, _ count: Int, _ ordinal: Int, highest: Int, _ scratch: BuildScratch
  ) {
    var first = 0
    while first < count {
      let width = min(count - first, Self.entriesAtOnce)
      for layer in 0..<(highest + 1) { unsafe admit(others + first, width, ordinal, in: layer, scratch) }
      first += width
    }
  }

  private func admit(
    _ others: UnsafePointer<UInt32>, _ count: Int, _ ordinal: Int, in layer: Int, _ scratch: BuildScratch
  ) {
    let chosen = scratch.chosen(in: layer)
    let old = scratch.chosenCounts[layer]
    let candidates = scratch.candidates
    let ordinals = unsafe scratch.ordinals
    var new = 0
    for i in 0..<count {
      let other = unsafe Int(others[i])
      if other == ordinal || Int(levels[other]) < layer { continue }
      let node = layer == 0 ? UInt32(other) : upperNodes[other]
      if (0..<old).contains(where: { unsafe chosen.ids[$0] == node }) { continue }
      unsafe candidates.ids[old + new] = node
      unsafe ordinals[new] = UInt32(other)
      new += 1
    }
    if new == 0 { return }
    unsafe score(ordinal, ordinals, new, exactly: false, into: candidates.scores + old)
    unsafe candidates.scores.update(from: chosen.scores, count: old)
    for i in 0..<old { unsafe candidates.ids[i] = chosen.ids[i] | CandidateList.marked }
    Self.sort(candidates, old + new, sorted: old)
    let exactly = isVague(candidates, old + new, ordinal)
    if exactly { unsafe scoreExactly(candidates, old + new, ordinal, in: layer, ordinals) }
    scratch.chosenCounts[layer] = select(
      candidates, old + new, m, layer, exactly: exactly, into: chosen, scratch)
  }

  /// Those chosen may have exact scores and the others not.
  private func scoreExactly(
    _ candidates: CandidateList, _ count: Int, _ ordinal: Int, in layer: Int, _ ordinals: UnsafeMutablePointer<UInt32>
  ) {
    for i in 0..<count {
      let node = unsafe candidates.ids[i] & ~CandidateList.marked
      unsafe ordinals[i] = UInt32(self.ordinal(node, layer))
    }
    unsafe score(ordinal, ordinals, count, exactly: true, into: candidates.scores)
    Self.sort(candidates, count, sorted: 1)
  }
}
