import CVidxKernels
import VidxVectors

/// Finds for points that already have a list the nearest centroid among the neighbours of that list's centroid.
///
/// Between two steps of Lloyd's algorithm a point moves to a centroid near its own, so a step need not look at the
/// others: `width` of them instead of all, which is the whole of the work. What it misses, the last assignment, to all
/// centroids, puts right (docs/decisions/0003-ivf.md).
///
/// Immutable; the outcome does not depend on the number of threads.
@safe struct NeighbourAssigner: Sendable {
  /// Centroids a point is compared with.
  static let width = 32
  private static let block = 256

  private let centroids: VectorRows
  private let biases: [Float]
  private let neighbours: CentroidNeighbours

  /// - Parameters:
  ///   - biases: half the squared length of each centroid for Euclidean distance; empty for dot products.
  init(_ centroids: VectorRows, biases: [Float], neighbours: CentroidNeighbours) {
    self.centroids = centroids
    self.biases = biases
    self.neighbours = neighbours
  }

  /// Gives each point the nearest of the neighbours of its list; `members` are the points by that list.
  func assign(
    _ points: VectorRows, _ members: ListOrder, to destination: CentroidAssigner.Destination, threads: Int,
    isCancelled: @escaping @Sendable () -> Bool
  ) {
    let workers = max(1, min(threads, centroids.count))
    let scratch = (0..<workers).map { _ in Scratch(dimensions: points.dimensions, width: neighbours.width) }
    Parallel.chunks(centroids.count, chunk: 4, threads: workers) { worker, lists in
      if isCancelled() { return }
      for list in lists where !members.isEmpty(list) {
        assign(points, members.ordinals(of: list), list, scratch[worker], destination)
      }
    }
  }

  private final class Scratch: Sendable {
    let near: VectorMatrix
    let points: VectorMatrix
    let products: AlignedBuffer

    init(dimensions: Int, width: Int) {
      near = VectorMatrix(count: width, dimensions: dimensions)
      points = VectorMatrix(count: NeighbourAssigner.block, dimensions: dimensions)
      products = AlignedBuffer(byteCount: NeighbourAssigner.block * width * 4)
    }
  }

  private func assign(
    _ points: VectorRows, _ members: ArraySlice<UInt32>, _ list: Int, _ scratch: Scratch,
    _ destination: CentroidAssigner.Destination
  ) {
    let near = neighbours.of(list)
    var nearBiases: [Float] = []
    for (place, centroid) in near.enumerated() {
      unsafe scratch.near.setRow(place, to: centroids.row(Int(centroid)))
      if !biases.isEmpty { nearBiases.append(biases[Int(centroid)]) }
    }
    let width = near.count
    let products = unsafe scratch.products.floats
    var start = members.startIndex
    while start < members.endIndex {
      let end = min(start + Self.block, members.endIndex)
      for i in start..<end { unsafe scratch.points.setRow(i - start, to: points.row(Int(members[i]))) }
      unsafe vidx_sgemm_nt(
        scratch.points.row(0), points.stride, scratch.near.row(0), points.stride, products, width, end - start, width,
        points.dimensions, 1)
      unsafe nearBiases.withUnsafeBufferPointer { biases in
        let bias = biases.isEmpty ? nil : biases.baseAddress
        for i in start..<end {
          var score: Float = 0
          let place = unsafe vidx_nearest_of_products(products + (i - start) * width, bias, width, &score)
          unsafe destination.lists[Int(members[i])] = near[near.startIndex + place]
          unsafe destination.scores?[Int(members[i])] = score
        }
      }
      start = end
    }
  }
}

/// The centroids nearest to each centroid, itself or its equals first.
struct CentroidNeighbours: Sendable {
  let width: Int
  private let lists: [UInt32]

  func of(_ list: Int) -> ArraySlice<UInt32> { lists[list * width..<(list + 1) * width] }

  /// - Parameter biases: as in `NeighbourAssigner`.
  /// - Complexity: O(centroids squared x dimensions), as matrix products.
  init(_ centroids: VectorRows, biases: [Float], width: Int, threads: Int) {
    let count = centroids.count
    let width = min(width, count)
    self.width = width
    var lists = [UInt32](repeating: 0, count: count * width)
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      guard let first = lists.baseAddress else { return }
      let destination = unsafe CentroidAssigner.Destination(lists: first, scores: nil)
      let block = min(max((1 << 20) / count, 16), 256)
      let workers = max(1, min(threads, (count + block - 1) / block))
      let products = (0..<workers).map { _ in AlignedBuffer(byteCount: block * count * 4) }
      Parallel.chunks(count, chunk: block, threads: workers) { worker, range in
        let out = unsafe products[worker].floats
        unsafe vidx_sgemm_nt(
          centroids.row(range.lowerBound), centroids.stride, centroids.base, centroids.stride, out, count, range.count,
          count, centroids.dimensions, 1)
        for list in range {
          let nearest = unsafe Self.nearest(out + (list - range.lowerBound) * count, biases, count, width)
          for (place, neighbour) in nearest.enumerated() {
            unsafe destination.lists[list * width + place] = neighbour
          }
        }
      }
    }
    self.lists = lists
  }

  /// The `width` centroids of least `bias - product`, ties in their order.
  private static func nearest(
    _ products: UnsafePointer<Float>, _ biases: [Float], _ count: Int, _ width: Int
  ) -> [UInt32] {
    var nearest = TopK(k: width)
    var threshold = nearest.threshold
    for centroid in 0..<count {
      let score = unsafe (biases.isEmpty ? 0 : biases[centroid]) - products[centroid]
      if score >= threshold { continue }
      nearest.offer(Hit(score: score, rowID: Int64(centroid)))
      threshold = nearest.threshold
    }
    return nearest.sorted().map { UInt32(truncatingIfNeeded: $0.rowID) }
  }
}
