import CVidxKernels
package import VidxSegments
package import VidxVectors

/// Memory one scan of slots works in, kept from scan to scan.
@safe final class SlotScan: @unchecked Sendable {
  // @unchecked: handed from scan to scan by the pool, never shared.
  let query: CodedQuery
  let memory = ScanMemory()
  let order = ScanOrder()
  let ids: UnsafeMutablePointer<UInt32>
  let scores: UnsafeMutablePointer<Float>
  let errors: UnsafeMutablePointer<Float>

  init(_ space: CodecSpace, block: Int) {
    query = CodedQuery(space)
    unsafe ids = .allocate(capacity: block)
    unsafe ids.initialize(repeating: 0, count: block)
    unsafe scores = .allocate(capacity: block)
    unsafe scores.initialize(repeating: 0, count: block)
    unsafe errors = .allocate(capacity: block)
    unsafe errors.initialize(repeating: 0, count: block)
  }

  deinit {
    unsafe ids.deallocate()
    unsafe scores.deallocate()
    unsafe errors.deallocate()
  }
}

/// The vectors behind the codes, by slot, and the row id of each.
@safe package struct SlotRows {
  let floats: UnsafePointer<Float>
  let stride: Int
  let rowIDs: [Int64]

  /// - Parameter stride: floats from one vector to the next, zeros behind the components.
  package init(_ floats: UnsafePointer<Float>, stride: Int, rowIDs: [Int64]) {
    unsafe self.floats = floats
    self.stride = stride
    self.rowIDs = rowIDs
  }
}

extension SlotCodes {
  /// Of the bounds so many times is allowed for: what is within them in 94 of 100 cases is so in 995 of 1,000.
  private static let width: Float = 1.5

  /// Offers the rows to `nearest` that may be among its k, all of which are coded. What it holds already leaves the
  /// less to be scored.
  /// - Parameter passing: the slots that may be; nil for all.
  /// - Throws: `SegmentError.stopped` only.
  /// - Complexity: O(slots x dimensions) bytes; allocates nothing from the second scan on.
  package func search(
    _ query: PreparedQuery, of rows: SlotRows, passing: [UInt32]?, stop: SearchStop?, nearest: inout TopK,
    counters: inout SearchCounters
  ) throws(SegmentError) {
    let scan = scans.take() ?? SlotScan(space, block: Self.block)
    defer {
      scan.memory.trim()
      scans.give(scan)
    }
    unsafe scan.query.prepare(query.floats)
    scan.memory.reset(k: nearest.k)
    // What others have found already is out of reach for most.
    scan.memory.found.tighten(to: nearest.threshold)
    let total = passing?.count ?? count
    var start = 0
    while start < total {
      let size = min(Self.block, total - start)
      if let passing {
        unsafe passing.withUnsafeBufferPointer { unsafe look($0.baseAddress.unsafelyUnwrapped + start, size, scan) }
      } else {
        look(start, size, scan)
      }
      start += size
      if start % Self.slotsBetweenLooks == 0 { try stop?.check() }
    }
    counters.add(scores: total, rowBytes: rowBytes)
    score(scan, query, rows, &nearest, &counters)
  }

  /// Looks at the codes of consecutive slots.
  private func look(_ start: Int, _ size: Int, _ scan: SlotScan) {
    let (scores, errors, ids) = unsafe (scan.scores, scan.errors, scan.ids)
    unsafe kernels.boundedRows(scan.query.raw, code(start), rowBytes, size, scores, errors)
    for i in 0..<size { unsafe errors[i] *= Self.width }
    let near = unsafe vidx_select_of_products(errors, scores, size, scan.memory.found.limit, ids)
    // Gathered in place: the places ascend.
    for i in 0..<near {
      let place = unsafe Int(ids[i])
      unsafe scores[i] = scores[place]
      unsafe errors[i] = errors[place]
    }
    if near > 0 { unsafe scan.memory.found.take(scores, errors, ids, near, from: start) }
  }

  /// Looks at the codes of some slots.
  private func look(_ slots: UnsafePointer<UInt32>, _ size: Int, _ scan: SlotScan) {
    unsafe kernels.boundedIDs(scan.query.raw, code(0), rowBytes, slots, size, scan.scores, scan.errors)
    for i in 0..<size { unsafe scan.errors[i] *= Self.width }
    unsafe scan.memory.found.take(scan.scores, scan.errors, slots, size)
  }

  /// Scores the vectors in full that may be among the nearest, least lower bound first.
  private func score(
    _ scan: SlotScan, _ query: PreparedQuery, _ rows: SlotRows, _ nearest: inout TopK, _ counters: inout SearchCounters
  ) {
    scan.order.putFirst(&scan.memory.found)
    var done = scoreOrdered(scan, query, rows, &nearest)
    scan.order.putRest(of: scan.memory.found, limit: nearest.threshold)
    done += scoreOrdered(scan, query, rows, &nearest)
    counters.add(scores: done, rowBytes: rows.stride * MemoryLayout<Float>.stride)
    counters.reranked += done
  }

  private func scoreOrdered(
    _ scan: SlotScan, _ query: PreparedQuery, _ rows: SlotRows, _ nearest: inout TopK
  ) -> Int {
    var done = 0
    while let next = scan.order.heap.nearest, next.score <= nearest.threshold {
      // As many as will be needed at once, so that their cache misses overlap.
      let size = min(done == 0 ? max(nearest.k, 8) : 8, Self.block)
      var count = 0
      while count < size, let candidate = scan.order.heap.pop() {
        unsafe scan.ids[count] = candidate.tag
        count += 1
      }
      unsafe vectors.ids(query.floats, rows.floats, rows.stride, scan.ids, count, rows.stride, scan.scores)
      for i in 0..<count where unsafe scan.scores[i] <= nearest.threshold {
        unsafe nearest.offer(Hit(score: scan.scores[i], rowID: rows.rowIDs[Int(scan.ids[i])]))
      }
      done += count
    }
    return done
  }
}
