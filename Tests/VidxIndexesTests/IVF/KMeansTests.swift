import TestSupport
import Testing
import VidxVectors

@testable import VidxIndexes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct KMeansTests {
  /// Ours against a plain reference in double precision with true k-means++, on average over seeds:
  /// each run ends in some local optimum, several percent apart.
  @Test(arguments: [true, false])
  func isAsGoodAsTheReference(isSpherical: Bool) throws {
    let data = TestVectors(count: 600, dimensions: 16, seed: 11, clusters: 40)
    try compare(Points(isSpherical ? data.rows.map(unit) : data.rows), lists: 20, isSpherical, seeds: 12)
  }

  /// The same on real embeddings, more lists than are drawn one at a time.
  @Test func isAsGoodAsTheReferenceOnRealVectors() throws {
    let vectors = try DemoVectors.read(every: 14).map(unit)
    #expect(vectors.count == 715)
    try compare(Points(vectors), lists: 40, true, seeds: 3)
  }

  /// Enough lists that steps look at neighbours only, with all vectors enough points for a pool: as good as steps over
  /// all points that look everywhere.
  @Test(arguments: [true, false], [1, 3])
  func neighboursAreEnough(isSpherical: Bool, step: Int) throws {
    let vectors = try DemoVectors.read(every: step)
    let points = Points(isSpherical ? vectors.map(unit) : vectors)
    let lists = 72
    #expect((points.vectors.count >= 2 * 4096) == (step == 1) && lists > 2 * NeighbourAssigner.width)
    let outcome = try KMeans.train(
      points.rows, options: KMeans.Options(lists: lists, isSpherical: isSpherical, seed: 1, threads: 2))
    let everywhere = plainLloyd(points.rows, lists: lists, isSpherical, steps: 12)
    let ours = cost(points.rows, outcome.centroids.rows(), isSpherical)
    #expect(ours <= everywhere * 1.01, "ours \(ours), everywhere \(everywhere)")
  }

  /// Lloyd from k-means++ seeds over all points, every step against all centroids: the mean cost at its end.
  private func plainLloyd(_ points: VectorRows, lists: Int, _ isSpherical: Bool, steps: Int) -> Double {
    var seeding = KMeansSeeding(points, count: lists, isSpherical: isSpherical, seed: 1, threads: 2)
    guard let centroids = try? seeding.choose({ false }) else { return .nan }
    for _ in 0..<steps {
      let members = ListOrder(nearest(points, centroids.rows(), isSpherical).lists, listCount: lists)
      for list in 0..<lists where !members.isEmpty(list) {
        let mine = members.ordinals(of: list)
        for d in 0..<points.dimensions {
          let sum = mine.reduce(0.0) { unsafe $0 + Double(points.row(Int($1))[d]) }
          unsafe centroids.row(list)[d] = Float(sum / Double(mine.count))
        }
        if isSpherical { unsafe KMeans.scaleToUnit(centroids.row(list), points.dimensions) }
      }
    }
    return cost(points, centroids.rows(), isSpherical)
  }

  /// 1 - cos, or half the squared distance, to the nearest centroid, on average.
  private func cost(_ points: VectorRows, _ centroids: VectorRows, _ isSpherical: Bool) -> Double {
    let scores = nearest(points, centroids, isSpherical).scores
    let constants = (0..<points.count).map {
      isSpherical ? 1 : unsafe squaredLength(points.row($0), points.dimensions) / 2
    }
    return zip(scores, constants).reduce(0.0) { $0 + Double($1.0) + $1.1 } / Double(points.count)
  }

  private func nearest(
    _ points: VectorRows, _ centroids: VectorRows, _ isSpherical: Bool
  ) -> (lists: [UInt32], scores: [Float]) {
    var lists = [UInt32](repeating: 0, count: points.count)
    var scores = [Float](repeating: 0, count: points.count)
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      unsafe scores.withUnsafeMutableBufferPointer { scores in
        guard let first = lists.baseAddress else { return }
        CentroidAssigner(centroids, metric: isSpherical ? .cosine : .l2).assign(
          points, to: unsafe CentroidAssigner.Destination(lists: first, scores: scores.baseAddress), threads: 2,
          isCancelled: { false })
      }
    }
    return (lists, scores)
  }

  private func compare(_ points: Points, lists: Int, _ isSpherical: Bool, seeds: UInt64) throws {
    var ours = 0.0
    var reference = 0.0
    for seed in 0..<seeds {
      let outcome = try KMeans.train(
        points.rows, options: KMeans.Options(lists: lists, isSpherical: isSpherical, seed: seed))
      #expect(outcome.iterations >= 2 && outcome.iterations <= 16)
      let actual = points.objective(outcome.centroids, isSpherical)
      // What it says of itself was measured one step before the end.
      #expect(actual <= outcome.objective * 1.0001 && outcome.objective <= actual * 1.02)
      ours += actual
      reference += ReferenceKMeans.objective(points.vectors, lists: lists, isSpherical, seed: seed)
    }
    #expect(ours <= reference * 1.02, "ours \(ours), reference \(reference)")
  }

  @Test(arguments: [true, false])
  func findsClustersThatLieApart(isSpherical: Bool) throws {
    var random = SplitMix(seed: 3)
    let axes = 8
    let vectors = (0..<400).map { i in
      (0..<axes).map { Float($0 == i % axes ? 10 : 0) + Float.random(in: -0.5...0.5, using: &random) }
    }
    let points = Points(isSpherical ? vectors.map(unit) : vectors)
    let outcome = try KMeans.train(
      points.rows, options: KMeans.Options(lists: axes, isSpherical: isSpherical, seed: 5))
    let directions = (0..<axes).map { list in
      (0..<axes).max { unsafe outcome.centroids.row(list)[$0] < outcome.centroids.row(list)[$1] }
    }
    #expect(Set(directions).count == axes)
  }

  @Test func doesNotDependOnThreads() throws {
    let points = Points(TestVectors(count: 3000, dimensions: 17, seed: 21).rows)
    let runs = try [(1, 7), (2, 7), (5, 7), (1, 8)].map { threads, seed in
      try KMeans.train(
        points.rows,
        options: KMeans.Options(lists: 40, isSpherical: false, seed: UInt64(seed), threads: threads))
    }
    #expect(runs[0].centroids.values == runs[1].centroids.values)
    #expect(runs[0].centroids.values == runs[2].centroids.values)
    #expect(runs[0].centroids.values != runs[3].centroids.values)
  }

  @Test func takesThePointsThemselvesWhenTheyAreFew() throws {
    let data = TestVectors(count: 5, dimensions: 3, seed: 2)
    for lists in [5, 6, 100] {
      let outcome = try KMeans.train(
        Points(data.rows).rows, options: KMeans.Options(lists: lists, isSpherical: false, seed: 1))
      #expect(outcome.centroids.values == data.rows)
    }
  }

  /// Points that coincide leave lists empty: nothing to split, and nothing may become NaN.
  @Test(arguments: [true, false])
  func survivesPointsThatCoincide(isSpherical: Bool) throws {
    let vectors = (0..<300).map { [1, Float($0 % 3), 0, 2].map { $0 } }
    let points = Points(isSpherical ? vectors.map(unit) : vectors)
    let outcome = try KMeans.train(
      points.rows, options: KMeans.Options(lists: 10, isSpherical: isSpherical, seed: 4))
    #expect(outcome.centroids.values.allSatisfy { $0.allSatisfy { $0.isFinite } })
    #expect(points.objective(outcome.centroids, isSpherical) < 1e-5)
  }

  /// Opposite unit vectors cancel out: a centroid without direction stays where it was.
  @Test func survivesPointsThatCancelOut() throws {
    let points = Points([[1, 0], [-1, 0], [0, 1], [0, -1]])
    let outcome = try KMeans.train(points.rows, options: KMeans.Options(lists: 1, isSpherical: true, seed: 9))
    let length = outcome.centroids.values[0].reduce(0) { $0 + $1 * $1 }
    #expect(abs(length - 1) < 1e-5)
  }

  /// Every list of a training set without repeats is worth its place.
  @Test(arguments: [UInt64(1), 2, 3])
  func leavesNoListEmpty(seed: UInt64) throws {
    // A dense clump and a few far points: batches drawn at once fall on the same far points.
    var vectors = TestVectors(count: 500, dimensions: 6, seed: seed, clusters: 1).rows
    for i in 0..<4 { vectors[i] = vectors[i].map { $0 + 1000 * Float(i + 1) } }
    let points = Points(vectors)
    let outcome = try KMeans.train(
      points.rows, options: KMeans.Options(lists: 64, isSpherical: false, seed: seed, iterations: 20))
    let sizes = points.sizes(outcome.centroids)
    #expect(sizes.filter { $0 == 0 }.count <= 1, "sizes \(sizes)")
  }

  @Test func stopsWhenCancelled() {
    let points = Points(TestVectors(count: 500, dimensions: 8, seed: 1).rows)
    #expect(throws: BuildError.cancelled) {
      try KMeans.train(
        points.rows, options: KMeans.Options(lists: 20, isSpherical: false, seed: 1), isCancelled: { true })
    }
  }

  @Test func seedsAreDifferentPoints() throws {
    let points = Points(TestVectors(count: 200, dimensions: 5, seed: 8).rows)
    for count in [1, 7, 8, 9, 199, 200] {
      var seeding = KMeansSeeding(points.rows, count: count, isSpherical: false, seed: 3, threads: 2)
      let seeds = try seeding.choose { false }.values
      #expect(seeds.count == count)
      #expect(Set(seeds).count == count)
      #expect(Set(seeds).isSubset(of: points.vectors))
    }
  }
}

/// Lloyd's algorithm as the textbook has it.
enum ReferenceKMeans {
  /// The objective it converges to: mean of 1 - cos when spherical, else of squared distances.
  static func objective(_ points: [[Float]], lists: Int, _ isSpherical: Bool, seed: UInt64) -> Double {
    let points = points.map { $0.map(Double.init) }
    var random = SplitMix(seed: seed)
    var centroids = [points[Int.random(in: 0..<points.count, using: &random)]]
    var weights = points.map { cost($0, centroids[0], isSpherical) }
    while centroids.count < lists {
      var target = Double.random(in: 0..<weights.reduce(0, +), using: &random)
      let next = weights.firstIndex {
        target -= $0
        return target < 0
      }
      let chosen = points[next ?? 0]
      centroids.append(chosen)
      for i in points.indices { weights[i] = min(weights[i], cost(points[i], chosen, isSpherical)) }
    }
    var last = Double.infinity
    for _ in 0..<16 {
      let assigned = points.map { nearest($0, centroids, isSpherical) }
      let mean = assigned.reduce(0) { $0 + $1.cost } / Double(points.count)
      if mean >= last * 0.9999 { return mean }
      last = mean
      for list in centroids.indices {
        let members = points.indices.filter { assigned[$0].list == list }
        if members.isEmpty { continue }
        var sum = points[members[0]].map { _ in 0.0 }
        for member in members { for d in sum.indices { sum[d] += points[member][d] } }
        let scale = isSpherical ? sum.reduce(0) { $0 + $1 * $1 }.squareRoot() : Double(members.count)
        centroids[list] = sum.map { $0 / scale }
      }
    }
    return last
  }

  static func nearest(_ point: [Double], _ centroids: [[Double]], _ isSpherical: Bool) -> (cost: Double, list: Int) {
    var best = (cost: Double.infinity, list: 0)
    for list in centroids.indices {
      let cost = cost(point, centroids[list], isSpherical)
      if cost < best.cost { best = (cost, list) }
    }
    return best
  }

  /// Pointers, because a debug build checks every index, and this runs millions of times.
  static func cost(_ a: [Double], _ b: [Double], _ isSpherical: Bool) -> Double {
    unsafe a.withUnsafeBufferPointer { a in
      unsafe b.withUnsafeBufferPointer { b in
        guard let x = a.baseAddress, let y = b.baseAddress else { return 0 }
        let count = a.count
        var sum = 0.0
        var d = 0
        if isSpherical {
          while d < count {
            unsafe sum += x[d] * y[d]
            d &+= 1
          }
          return max(0, 1 - sum)
        }
        while d < count {
          let difference = unsafe x[d] - y[d]
          sum += difference * difference
          d &+= 1
        }
        return sum
      }
    }
  }
}

/// Embeddings of the demo data: 10,000 x 384, float16.
enum DemoVectors {
  struct MissingFile: Error { let path: String }

  static func read(every step: Int) throws -> [[Float]] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
    let path = "\(root)/datasets/debian-packages/packages.npy"
    guard let file = unsafe fopen(path, "rb") else { throw MissingFile(path: path) }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 8_000_000)
    bytes.removeLast(unsafe bytes.count - fread(&bytes, 1, bytes.count, file))
    let header = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
    let rowBytes = 384 * 2
    return stride(from: header, to: bytes.count, by: rowBytes * step).map { start in
      stride(from: start, to: start + rowBytes, by: 2).map {
        Float(Float16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8))
      }
    }
  }
}

/// Vectors as the training takes them, kept alive.
struct Points {
  let vectors: [[Float]]
  let matrix: VectorMatrix

  init(_ vectors: [[Float]]) {
    self.vectors = vectors
    matrix = VectorMatrix(count: vectors.count, dimensions: vectors.first?.count ?? 1)
    for (i, vector) in vectors.enumerated() {
      for (d, x) in vector.enumerated() { unsafe matrix.row(i)[d] = x }
    }
  }

  var rows: VectorRows { matrix.rows() }

  func objective(_ centroids: VectorMatrix, _ isSpherical: Bool) -> Double {
    let centroids = centroids.values.map { $0.map(Double.init) }
    let costs = vectors.map { ReferenceKMeans.nearest($0.map(Double.init), centroids, isSpherical).cost }
    return costs.reduce(0, +) / Double(vectors.count)
  }

  func sizes(_ centroids: VectorMatrix) -> [Int] {
    var sizes = [Int](repeating: 0, count: centroids.count)
    let centroids = centroids.values.map { $0.map(Double.init) }
    for vector in vectors { sizes[ReferenceKMeans.nearest(vector.map(Double.init), centroids, false).list] += 1 }
    return sizes
  }
}

extension VectorMatrix {
  /// The rows without their padding.
  var values: [[Float]] {
    (0..<count).map { i in (0..<dimensions).map { unsafe row(i)[$0] } }
  }
}

func unit(_ vector: [Float]) -> [Float] {
  let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  return vector.map { Float(Double($0) / length) }
}
