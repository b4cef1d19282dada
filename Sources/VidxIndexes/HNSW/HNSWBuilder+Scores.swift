import VidxVectors

extension HNSWBuilder {
  /// Scores of a vector against others, by their ordinals: from bytes, unless there are none or they would not do.
  @inline(__always)
  func score(
    _ ordinal: Int, _ others: UnsafePointer<UInt32>, _ count: Int, exactly: Bool,
    into scores: UnsafeMutablePointer<Float>
  ) {
    if let bytes, !exactly {
      unsafe bytes.scores(bytes.rows, ordinal, others, count, scores)
    } else {
      unsafe kernels.ids(vector(ordinal), vectors, stride, others, count, stride, scores)
    }
  }

  /// The vectors of nodes in a layer.
  @inline(__always)
  func rows(
    _ nodes: UnsafePointer<UInt32>, _ count: Int, _ layer: Int, _ scratch: BuildScratch
  ) -> UnsafePointer<UInt32> {
    if layer == 0 { return unsafe nodes }
    for i in 0..<count { unsafe scratch.ordinals[i] = upperOrdinals[Int(nodes[i])] }
    return unsafe UnsafePointer(scratch.ordinals)
  }

  /// Whether sorted candidates are so close together that bytes cannot tell which is nearer: near-duplicates.
  @inline(__always)
  func isVague(_ candidates: CandidateList, _ count: Int, _ ordinal: Int) -> Bool {
    guard let bytes, count > 1 else { return false }
    return unsafe candidates.scores[count - 1] - candidates.scores[0] < 4 * bytes.noise[ordinal]
  }

  /// Sorts the pool anew, by exact scores.
  @inline(never)
  func scoreExactly(_ ordinal: Int, _ count: Int, _ layer: Int, _ scratch: BuildScratch) {
    let pool = scratch.pool
    let others = unsafe rows(pool.ids, count, layer, scratch)
    unsafe score(ordinal, others, count, exactly: true, into: pool.scores)
    HNSWBuilder.sort(pool, count, sorted: 1)
  }

  /// Sorts by score, stably; the first `sorted` candidates are sorted.
  static func sort(_ list: CandidateList, _ count: Int, sorted: Int) {
    let scores = unsafe list.scores
    let ids = unsafe list.ids
    var i = max(sorted, 1)
    while i < count {
      let score = unsafe scores[i]
      let id = unsafe ids[i]
      var j = i
      while j > 0, unsafe scores[j &- 1] > score {
        unsafe scores[j] = scores[j &- 1]
        unsafe ids[j] = ids[j &- 1]
        j &-= 1
      }
      unsafe scores[j] = score
      unsafe ids[j] = id
      i &+= 1
    }
  }
}
