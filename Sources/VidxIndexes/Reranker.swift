import CVidxKernels
import VidxSegments
import VidxVectors

/// Scores exactly what codes have selected.
@safe struct Reranker: Sendable {
  let coded: CodedVectors
  /// The full vectors, and how they are scored.
  let vectors: RowMemory
  let kernels: VectorKernels

  /// Scores the candidates in the scratch's walked pool exactly, from the full vectors, nearest estimate first, and
  /// leaves them by true score in `scratch.pool`.
  ///
  /// Ends when the next estimate is farther than the k-th true score by more than the margin: what estimates are too
  /// high by, nearly always. With an extension, its finer estimates come first.
  /// - Parameter count: candidates in the walked pool.
  /// - Returns: how many were scored, at least min(k, count).
  func rank(
    _ query: UnsafePointer<Float>, k: Int, of count: Int, margin: Float, _ coded: UnsafePointer<vidx_code_query>,
    _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let walked = scratch.walkedPool(capacity: count)
    for i in 0..<count { unsafe walked.tags[i] &= ~Candidate.expanded }
    let order = unsafe try refine(walked, count, coded, scratch, &counters)
    let exact = scratch.exactPool(capacity: count)
    var done = 0
    var kept = 0
    while done < count {
      // All that are needed anyway at once, the rest by fours.
      let block = done == 0 ? min(max(k, 4), SearchScratch.blockCapacity) : 4
      let width = min(block, count - done)
      if count > SearchScratch.blockCapacity { try scratch.scored(width) }
      let limit = unsafe kept >= k ? exact.scores[k - 1] + margin : .infinity
      if unsafe order.scores[done] > limit { break }
      unsafe try score(query, order.tags + done, width, scratch.scores)
      _ = unsafe scratch.insertCandidates(
        exact.scores, exact.tags, &kept, count, scratch.scores, order.tags + done, width)
      done += width
    }
    counters.add(scores: done, rowBytes: vectors.stride)
    counters.reranked += done
    scratch.reservePool(kept)
    for i in 0..<kept { unsafe scratch.pool[i] = Candidate(exact.scores[i], exact.tags[i]) }
    return kept
  }

  private func score(
    _ query: UnsafePointer<Float>, _ ids: UnsafePointer<UInt32>, _ count: Int, _ out: UnsafeMutablePointer<Float>
  ) throws(SegmentError) {
    if !vectors.isVerified { unsafe try vectors.verify(ids, count) }
    let base = unsafe vectors.base.assumingMemoryBound(to: Float.self)
    let stride = vectors.stride / 4
    unsafe kernels.ids(query, base, stride, ids, count, stride, out)
  }

  /// The candidates by the estimates of codes and extensions together; without extension as they are.
  private func refine(
    _ walked: SortedPool, _ count: Int, _ coded: UnsafePointer<vidx_code_query>, _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) -> SortedPool {
    guard let extensions = self.coded.extensions, let refine = unsafe self.coded.kernels.refine else {
      return walked
    }
    let rows = self.coded.rows
    let refined = scratch.refinedPool(capacity: count)
    var kept = 0
    var done = 0
    while done < count {
      let width = min(SearchScratch.blockCapacity, count - done)
      let ids = unsafe walked.tags + done
      try scratch.scored(width)
      unsafe try extensions.verify(ids, width)
      unsafe refine(coded, rows.base, rows.stride, extensions.base, extensions.stride, ids, width, scratch.scores, nil)
      _ = unsafe scratch.insertCandidates(refined.scores, refined.tags, &kept, count, scratch.scores, ids, width)
      done += width
    }
    counters.add(scores: count, rowBytes: rows.stride + extensions.stride)
    return refined
  }
}
