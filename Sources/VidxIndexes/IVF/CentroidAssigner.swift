import CVidxKernels
import Synchronization
import VidxVectors

/// Finds the nearest centroid of many vectors: matrix products in blocks that fit the cache, on several threads.
///
/// The score of vector x and centroid c is `bias(c) - <x, c>`, smaller nearer: with bias 0 for the dot product, with
/// half the squared length of c for Euclidean distance (which leaves out half of x's, the same for every c).
/// L1 has no such product: its scores come from the kernel, row by row.
///
/// Immutable; the outcome does not depend on the number of threads.
@safe struct CentroidAssigner: Sendable {
  private let centroids: VectorRows
  /// Half the squared length of each centroid for l2, otherwise empty.
  let biases: [Float]
  /// Subtracted from vectors and centroids first: squared lengths of vectors far from zero would swamp the distances
  /// between them in 32 bits. Empty for none.
  private let origin: [Float]
  /// The L1 kernels, when scores are L1 distances.
  private let kernels: VectorKernels?

  /// Scores of a block of vectors: 4 MiB at most, unless there are very many centroids.
  private static let blockScores = 1 << 20

  /// - Parameters:
  ///   - centroids: at least one.
  ///   - origin: for l2 a point amid the data (`dimensions` floats), or empty when that is near zero.
  init(_ centroids: VectorRows, metric: Metric, origin: [Float] = []) {
    precondition(centroids.count > 0, "no centroids")
    let usesOrigin = metric == .l2 && !origin.isEmpty
    self.origin = usesOrigin ? origin : []
    let rows = usesOrigin ? Self.shift(centroids, by: origin).rows() : centroids
    self.centroids = rows
    kernels = metric == .l1 ? VectorKernels(.l1) : nil
    biases =
      metric == .l2 ? (0..<rows.count).map { unsafe Float(squaredLength(rows.row($0), rows.dimensions) / 2) } : []
  }

  /// Where the results of an assignment go: one place for each vector.
  @safe struct Destination: @unchecked Sendable {
    // @unchecked: threads write disjoint places.
    let lists: UnsafeMutablePointer<UInt32>
    let scores: UnsafeMutablePointer<Float>?
  }

  /// Finds the nearest centroid of each vector; ties go to the first.
  /// - Parameters:
  ///   - progress: called with the number of vectors done, from any of the threads.
  ///   - isCancelled: asked before every block; when true, the rest of the destination is left as it is.
  func assign(
    _ vectors: VectorRows, to destination: Destination, threads: Int, isCancelled: @escaping @Sendable () -> Bool,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    let block = blockRows
    let workers = max(1, min(threads, (vectors.count + block - 1) / block))
    let scratch = (0..<workers).map { _ in BlockScratch(self, rows: block) }
    let done = SharedCount()
    Parallel.chunks(vectors.count, chunk: block, threads: workers) { worker, range in
      if isCancelled() { return }
      if let kernels {
        assignByKernel(vectors, range, kernels, scratch[worker], destination)
      } else {
        assignByProduct(vectors, range, scratch[worker], destination)
      }
      progress(done.value.add(range.count, ordering: .relaxed).newValue)
    }
  }

  /// Vectors that are multiplied at once.
  private var blockRows: Int { min(max(Self.blockScores / centroids.count, 32), 1024) }

  /// Finds the `width` nearest centroids of each vector, nearest first, ties in their order; not under l1.
  /// - Parameters:
  ///   - width: at most as many as there are centroids.
  ///   - isCancelled: asked before every block; when true, the rest is of no use.
  /// - Returns: `width` numbers of each vector, one vector after the other.
  func nearest(
    _ vectors: VectorRows, width: Int, threads: Int, isCancelled: @escaping @Sendable () -> Bool
  ) -> [UInt32] {
    precondition(kernels == nil && width <= centroids.count, "\(width) of \(centroids.count) centroids")
    var lists = [UInt32](repeating: 0, count: vectors.count * width)
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      guard let first = lists.baseAddress, vectors.count > 0 else { return }
      let destination = unsafe Destination(lists: first, scores: nil)
      let block = blockRows
      let workers = max(1, min(threads, (vectors.count + block - 1) / block))
      let scratch = (0..<workers).map { _ in BlockScratch(self, rows: block) }
      Parallel.chunks(vectors.count, chunk: block, threads: workers) { worker, range in
        if isCancelled() { return }
        rank(vectors, range, width: width, scratch[worker], destination)
      }
    }
    return lists
  }

  private func rank(
    _ vectors: VectorRows, _ range: Range<Int>, width: Int, _ scratch: BlockScratch, _ destination: Destination
  ) {
    let lists = centroids.count
    let products = unsafe multiply(vectors, range, scratch)
    unsafe biases.withUnsafeBufferPointer { biases in
      let bias = biases.isEmpty ? nil : biases.baseAddress
      for i in 0..<range.count {
        let row = unsafe products + i * lists
        for place in 0..<width {
          var score: Float = 0
          let list = unsafe vidx_nearest_of_products(row, bias, lists, &score)
          unsafe destination.lists[(range.lowerBound + i) * width + place] = UInt32(truncatingIfNeeded: list)
          unsafe row[list] = -.infinity
        }
      }
    }
  }

  /// Memory of one worker: the scores of a block, and its vectors moved to the origin.
  private final class BlockScratch: Sendable {
    let scores: AlignedBuffer
    let moved: VectorMatrix?

    init(_ assigner: CentroidAssigner, rows: Int) {
      scores = AlignedBuffer(byteCount: rows * assigner.centroids.count * 4)
      moved = assigner.origin.isEmpty ? nil : VectorMatrix(count: rows, dimensions: assigner.centroids.dimensions)
    }
  }

  private final class SharedCount: Sendable {
    let value = Atomic<Int>(0)
  }

  private func assignByProduct(
    _ vectors: VectorRows, _ range: Range<Int>, _ scratch: BlockScratch, _ destination: Destination
  ) {
    let lists = centroids.count
    let products = unsafe multiply(vectors, range, scratch)
    unsafe biases.withUnsafeBufferPointer { biases in
      // An empty array's address may be anything.
      let bias = biases.isEmpty ? nil : biases.baseAddress
      for i in 0..<range.count {
        var score: Float = 0
        let list = unsafe vidx_nearest_of_products(products + i * lists, bias, lists, &score)
        unsafe destination.lists[range.lowerBound + i] = UInt32(truncatingIfNeeded: list)
        unsafe destination.scores?[range.lowerBound + i] = score
      }
    }
  }

  /// The products of some vectors with all centroids, in the memory of the scratch.
  private func multiply(
    _ vectors: VectorRows, _ range: Range<Int>, _ scratch: BlockScratch
  ) -> UnsafeMutablePointer<Float> {
    let lists = centroids.count
    let products = unsafe scratch.scores.floats
    var block = unsafe vectors.row(range.lowerBound)
    if let moved = scratch.moved {
      for i in 0..<range.count {
        unsafe subtract(origin, from: vectors.row(range.lowerBound + i), into: moved.row(i))
      }
      unsafe block = UnsafePointer(moved.row(0))
    }
    unsafe vidx_sgemm_nt(
      block, vectors.stride, centroids.base, centroids.stride, products, lists, range.count, lists,
      vectors.dimensions, 1)
    return unsafe products
  }

  private func assignByKernel(
    _ vectors: VectorRows, _ range: Range<Int>, _ kernels: VectorKernels, _ scratch: BlockScratch,
    _ destination: Destination
  ) {
    let lists = centroids.count
    let scores = unsafe scratch.scores.floats
    for i in range {
      unsafe kernels.rows(vectors.row(i), centroids.base, centroids.stride, lists, centroids.stride, scores)
      var best = 0
      for j in 1..<max(lists, 1) where unsafe scores[j] < scores[best] { best = j }
      unsafe destination.lists[i] = UInt32(truncatingIfNeeded: best)
      unsafe destination.scores?[i] = scores[best]
    }
  }

  private static func shift(_ rows: VectorRows, by origin: [Float]) -> VectorMatrix {
    let result = VectorMatrix(count: rows.count, dimensions: rows.dimensions)
    for i in 0..<rows.count { unsafe subtract(origin, from: rows.row(i), into: result.row(i)) }
    return result
  }
}
