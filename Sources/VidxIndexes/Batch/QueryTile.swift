import CVidxKernels
import VidxSegments
import VidxVectors

/// Some queries, and the nearest rows of each so far. Scores blocks of vectors against many of them at a time.
///
/// A block is multiplied with the queries, and what the product cannot exclude is scored by the kernel that a single
/// search uses: sums in another order differ by at most n u |q| |x| from the exact dot product each (Higham, Accuracy
/// and Stability of Numerical Algorithms, section 3.1), so an answer is that of the kernel alone, to the last bit.
/// L1 has no product, few queries are not worth packing one: there the kernel scores the block, while it is in cache.
@safe final class QueryTile {
  private(set) var nearest: [TopK]
  private let index: SegmentIndex
  private let queries: [PreparedQuery]
  private let filter: EntryFilter?
  private let matrix: VectorMatrix
  /// The queries of a block when they are not all.
  private let some: VectorMatrix
  private let lengths: [Float]
  private let scores: AlignedBuffer
  private let biases: AlignedBuffer
  private let picked: AlignedBuffer
  private let stop: SearchStop?
  /// Scores since it was last asked.
  private var unasked = 0
  /// Vectors that do not lie side by side.
  private let gathered: VectorMatrix

  /// Vectors to a block.
  let blockCapacity: Int
  private static let leastQueriesOfProduct = 12

  init(_ index: SegmentIndex, _ queries: [PreparedQuery], k: Int, filter: EntryFilter?, _ stop: SearchStop?) {
    self.stop = stop
    self.index = index
    self.queries = queries
    self.filter = filter
    let (dimensions, stride) = (index.configuration.dimensions, index.configuration.stride)
    blockCapacity = max(16, min(256, (1 << 19) / stride))
    nearest = Array(repeating: TopK(k: k), count: queries.count)
    matrix = VectorMatrix(count: queries.count, dimensions: dimensions)
    some = VectorMatrix(count: queries.count, dimensions: dimensions)
    gathered = VectorMatrix(count: filter == nil ? 0 : blockCapacity, dimensions: dimensions)
    scores = AlignedBuffer(byteCount: blockCapacity * queries.count * 4)
    biases = AlignedBuffer(byteCount: blockCapacity * 4)
    picked = AlignedBuffer(byteCount: blockCapacity * 4)
    for (i, query) in queries.enumerated() { unsafe matrix.setRow(i, to: query.floats) }
    lengths = queries.map { unsafe Float(squaredLength($0.floats, dimensions).squareRoot()) }
  }

  /// Scores a run of vectors, those of them that pass.
  /// - Parameter participants: the queries, by number, ascending; nil for all.
  func score(_ ordinals: Range<Int>, _ participants: [UInt32]?) throws(SegmentError) {
    let (vectors, stride) = (index.vectors, index.configuration.stride)
    var rest = ordinals
    if let filter, filter.ordinalCount < index.vectorCount {
      unsafe try withIDs { (ids) throws(SegmentError) in
        while true {
          let count = unsafe filter.ordinals.copyMembers(of: &rest, to: ids, limit: blockCapacity)
          if count == 0 { return }
          if !vectors.isVerified { unsafe try vectors.verify(rows: ids, count: count, rowByteCount: stride * 4) }
          for i in 0..<count { unsafe gathered.setRow(i, to: vectors.floats + Int(ids[i]) * stride) }
          unsafe try score(Block(rows: gathered.row(0), count: count, ids: ids, start: 0), participants)
        }
      }
      return
    }
    while !rest.isEmpty {
      let (start, count) = (rest.lowerBound, min(blockCapacity, rest.count))
      if !vectors.isVerified { try vectors.verify(start * stride * 4..<(start + count) * stride * 4) }
      unsafe try score(Block(rows: vectors.floats + start * stride, count: count, ids: nil, start: start), participants)
      rest = start + count..<rest.upperBound
    }
  }

  private func withIDs(
    _ body: (UnsafeMutablePointer<UInt32>) throws(SegmentError) -> Void
  ) throws(SegmentError) {
    let ids = AlignedBuffer(byteCount: blockCapacity * 4)
    unsafe try body(ids.words)
  }

  /// Vectors side by side in memory.
  @unsafe private struct Block {
    let rows: UnsafePointer<Float>
    let count: Int
    /// Their ordinals; nil for those from `start` on.
    let ids: UnsafePointer<UInt32>?
    let start: Int

    func ordinal(_ i: Int) -> Int { unsafe ids.map { unsafe Int($0[i]) } ?? start &+ i }
  }

  private func score(_ block: Block, _ participants: [UInt32]?) throws(SegmentError) {
    let count = participants?.count ?? queries.count
    unasked += unsafe block.count * count
    if unasked >= SearchScratch.scoresBetweenLooks {
      unasked = 0
      try stop?.check()
    }
    if index.configuration.metric == .l1 || count < Self.leastQueriesOfProduct {
      for i in 0..<count { unsafe try scoreByKernel(block, Int(participants?[i] ?? UInt32(i))) }
    } else {
      unsafe try scoreByProduct(block, participants)
    }
  }

  private func scoreByKernel(_ block: Block, _ number: Int) throws(SegmentError) {
    let stride = index.configuration.stride
    let out = unsafe scores.floats
    unsafe index.kernels.rows(queries[number].floats, block.rows, stride, block.count, stride, out)
    var threshold = nearest[number].threshold
    let count = unsafe block.count
    var i = 0
    while i < count {
      if unsafe out[i] <= threshold {
        unsafe try index.offer(block.ordinal(i), out[i], filter, &nearest[number])
        threshold = nearest[number].threshold
      }
      i &+= 1
    }
  }

  private func scoreByProduct(_ block: Block, _ participants: [UInt32]?) throws(SegmentError) {
    let (stride, dimensions) = (index.configuration.stride, index.configuration.dimensions)
    var factor = matrix
    if let participants, participants.count < queries.count {
      for (i, number) in participants.enumerated() { unsafe some.setRow(i, to: matrix.row(Int(number))) }
      factor = some
    }
    let count = participants?.count ?? queries.count
    unsafe vidx_sgemm_nt(
      factor.row(0), stride, block.rows, stride, scores.floats, block.count, count, block.count, dimensions, 1)
    let longest = unsafe measure(block)
    for i in 0..<count {
      unsafe try rescore(block, scores.floats + i * block.count, longest, Int(participants?[i] ?? UInt32(i)))
    }
  }

  /// Fills in half the squared lengths of a block's vectors under l2.
  /// - Returns: the length of the longest.
  private func measure(_ block: Block) -> Float {
    if index.configuration.metric == .cosine { return 1 }
    let stride = index.configuration.stride
    let count = unsafe block.count
    var most = 0.0
    for i in 0..<count {
      let square = unsafe squaredLength(block.rows + i * stride, index.configuration.dimensions)
      unsafe biases.floats[i] = Float(square / 2)
      most = max(most, square)
    }
    return Float(most.squareRoot())
  }

  /// Scores again what the products cannot exclude.
  private func rescore(
    _ block: Block, _ products: UnsafePointer<Float>, _ longest: Float, _ number: Int
  ) throws(SegmentError) {
    let stride = index.configuration.stride
    let isSquared = index.configuration.metric == .l2
    let bias = isSquared ? unsafe UnsafePointer(biases.floats) : nil
    let query = unsafe queries[number].floats
    let kernel = unsafe index.kernels.one
    let ids = unsafe picked.words
    let error = errorBound(lengths[number], longest)
    var limit = limit(nearest[number].threshold, lengths[number], error)
    let found = unsafe vidx_select_of_products(products, bias, block.count, limit, ids)
    var i = 0
    while i < found {
      let place = unsafe Int(ids[i])
      i &+= 1
      if unsafe (bias?[place] ?? 0) - products[place] > limit { continue }
      let score = unsafe kernel(query, block.rows + place &* stride, stride)
      if score > nearest[number].threshold { continue }
      unsafe try index.offer(block.ordinal(place), score, filter, &nearest[number])
      limit = self.limit(nearest[number].threshold, lengths[number], error)
    }
  }

  /// How far the score from a product and that of the kernel can be apart, for vectors no longer than these. Both are
  /// within (n + a few) u of sums of absolute terms that |q| |x| bounds, under l2 (|q| + |x|)^2.
  private func errorBound(_ query: Float, _ longest: Float) -> Float {
    let terms = Float(3 * (index.configuration.stride + 16)) * 0x1p-24
    if index.configuration.metric == .l2 { return terms * (query + longest) * (query + longest) }
    return terms * query * longest * 1.001
  }

  /// What `bias - product` may be at most for a score that reaches the threshold.
  private func limit(_ threshold: Float, _ query: Float, _ error: Float) -> Float {
    if index.configuration.metric == .l2 { return (threshold - query * query + error) / 2 }
    return threshold + error
  }
}
