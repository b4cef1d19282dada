import CVidxKernels
import TestSupport
import Testing
import VidxVectors

/// The byte rows that graphs are built on, and the pool that searches keep.
@Suite struct BytesTests {
  static let dimensions = Array(1...70) + [127, 128, 129, 384, 1536, 4096]

  /// Coded rows with what they were made of.
  @safe final class Rows {
    let vectors: TestRows
    let centre: [Float]
    let codes: UnsafeMutablePointer<UInt8>
    let tails: UnsafeMutablePointer<vidx_byte_tail>
    let sums: UnsafeMutablePointer<Int32>
    let kernelRows: UnsafeMutablePointer<vidx_byte_rows>
    let norms: [Double]
    let errors: [Double]

    init(count: Int, dimensions: Int, isL2: Bool) {
      let stride = (dimensions + 63) & ~63
      let vectors = TestRows(count: count, dimensions: dimensions, seed: 61)
      let centre = (0..<dimensions).map { Float($0 % 5) * 0.1 }
      var (norms, errors): ([Double], [Double]) = ([], [])
      unsafe codes = .allocate(capacity: count * stride)
      unsafe codes.initialize(repeating: 7, count: count * stride)
      unsafe tails = .allocate(capacity: count)
      unsafe sums = .allocate(capacity: count)
      for row in 0..<count {
        var scale: Float = 0
        var error = 0.0
        norms.append(
          unsafe vidx_byte_encode(
            vectors[row], centre, dimensions, stride, isL2 ? 2.0.squareRoot() : 1, codes + row * stride, &scale,
            sums + row, &error))
        errors.append(error)
        var add = isL2 ? norms[row] : 0
        for i in 0..<dimensions where !isL2 {
          let c = Double(centre[i])
          unsafe add -= (Double(vectors[row][i]) - c / 2) * c
        }
        unsafe tails[row] = vidx_byte_tail(add: Float(add), scale: scale)
      }
      unsafe kernelRows = .allocate(capacity: 1)
      (self.vectors, self.centre, self.norms, self.errors) = (vectors, centre, norms, errors)
      unsafe kernelRows.initialize(to: vidx_byte_rows(codes: codes, tails: tails, sums: sums, stride: stride))
    }

    deinit {
      unsafe codes.deallocate()
      unsafe tails.deallocate()
      unsafe sums.deallocate()
      unsafe kernelRows.deallocate()
    }
  }

  @Test(arguments: [Metric.innerProduct, .l2])
  func scoresAreWithinTheErrorOfTheBytes(metric: Metric) {
    for dimensions in Self.dimensions {
      let rows = Rows(count: 12, dimensions: dimensions, isL2: metric == .l2)
      let ids = (0..<12).map { UInt32($0) }
      var scores = [Float](repeating: .nan, count: 12)
      for query in 0..<12 {
        unsafe vidx_bytes_active().pointee.scores(rows.kernelRows, query, ids, 12, &scores)
        for other in 0..<12 {
          let exact = unsafe ReferenceScore(metric, rows.vectors[query], rows.vectors[other], dimensions)
          // <x, y> - <x', y'> = <x - x', y> + <x', y - y'>, and |x'| <= |x| + |x - x'|.
          let (a, b) = (rows.errors[query].squareRoot(), rows.errors[other].squareRoot())
          let bound = a * rows.norms[other].squareRoot() + (rows.norms[query].squareRoot() + a) * b
          #expect(
            abs(Double(scores[other]) - exact.score) <= bound * (metric == .l2 ? 2 : 1) + 1e-6 * (1 + exact.magnitude),
            "\(metric), dimensions \(dimensions)")
        }
      }
      // 127 steps to the largest component.
      for row in 0..<12 {
        let largest = (0..<dimensions).reduce(0.0) {
          unsafe max($0, abs(Double(rows.vectors[row][$1] - rows.centre[$1])))
        }
        #expect(rows.errors[row] <= Double(dimensions) * (largest / 254) * (largest / 254) * 1.001)
      }
    }
  }

  @Test(arguments: machineISAs)
  func scoresHaveTheSameBitsEverywhere(isa: String) throws {
    let kernels = unsafe try #require(vidx_bytes_named(isa))
    let scalar = unsafe try #require(vidx_bytes_named("scalar"))
    for dimensions in Self.dimensions {
      let rows = Rows(count: 30, dimensions: dimensions, isL2: dimensions % 2 == 0)
      for count in 0...30 {
        let ids = (0..<count).map { UInt32($0 * 7 % 30) }
        var expected = [Float](repeating: -7, count: 31)
        var scores = expected
        unsafe scalar.pointee.scores(rows.kernelRows, count % 30, ids, count, &expected)
        unsafe kernels.pointee.scores(rows.kernelRows, count % 30, ids, count, &scores)
        #expect(scores.map(\.bitPattern) == expected.map(\.bitPattern), "\(count) x \(dimensions)")
      }
    }
  }

  @Test func scoresAreSymmetric() {
    let rows = Rows(count: 2, dimensions: 100, isL2: true)
    var (there, back): (Float, Float) = (0, 1)
    unsafe vidx_bytes_active().pointee.scores(rows.kernelRows, 0, [1], 1, &there)
    unsafe vidx_bytes_active().pointee.scores(rows.kernelRows, 1, [0], 1, &back)
    #expect(there == back)
  }

  @Test func codesVectorsThatEqualTheCentre() {
    var codes = [UInt8](repeating: 0, count: 64)
    var (scale, sum, error): (Float, Int32, Double) = (1, 1, 1)
    let norm = unsafe vidx_byte_encode([1, 2, 3], [1, 2, 3], 3, 64, 1, &codes, &scale, &sum, &error)
    #expect(norm == 0 && scale == 0 && sum == 0 && error == 0)
    #expect(codes.allSatisfy { $0 == 128 })
  }

  /// Blocks of few different scores, so that many are equal, against a stable sort.
  @Test(arguments: machineISAs, [1, 2, 15, 16, 17, 64, 200, 4096])
  func mergesAsAStableSortDoes(isa: String, limit: Int) throws {
    let merge = unsafe try #require(vidx_bytes_named(isa)).pointee.merge
    var generator = SplitMix(seed: UInt64(limit))
    for levels in [3, 50, 1_000_000] {
      let capacity = limit + Int(VIDX_POOL_SLACK)
      var pool = unsafe vidx_pool(scores: .allocate(capacity: capacity), ids: .allocate(capacity: capacity))
      var merged = unsafe vidx_pool(scores: .allocate(capacity: capacity), ids: .allocate(capacity: capacity))
      defer {
        unsafe pool.scores.deallocate()
        unsafe pool.ids.deallocate()
        unsafe merged.scores.deallocate()
        unsafe merged.ids.deallocate()
      }
      var count = 0
      var expected: [(score: Float, id: UInt32)] = []
      for block in 0..<120 {
        let offered = block % 5 == 0 ? 64 : Int.random(in: 0...20, using: &generator)
        let scores = (0..<offered).map { _ in Float(Int.random(in: -levels...levels, using: &generator)) }
        let ids = (0..<offered).map { UInt32(block * 64 + $0) }
        let before = expected.map(\.id)
        expected += zip(scores, ids).map { ($0, $1) }
        // Swift's sort is stable.
        expected = Array(expected.sorted { $0.score < $1.score }.prefix(limit))
        let first = unsafe merge(&pool, &count, limit, scores, ids, offered, &merged)
        if first < limit { unsafe swap(&pool, &merged) }
        let after = expected.map(\.id)
        let differs = after.indices.first { $0 >= before.count || after[$0] != before[$0] } ?? limit
        #expect(first == differs)
        #expect(count == expected.count)
        #expect((0..<count).map { unsafe pool.ids[$0] } == after)
        #expect((0..<count).map { unsafe pool.scores[$0] } == expected.map(\.score))
      }
    }
  }

  /// Many rows against many at once: the scores that one row against some has, and infinities that fill up.
  @Test(arguments: machineISAs)
  func panelsHaveTheBitsOfScores(isa: String) throws {
    let kernels = unsafe try #require(vidx_bytes_named(isa)).pointee
    let scalar = unsafe try #require(vidx_bytes_named("scalar")).pointee
    for dimensions in Self.dimensions {
      let rows = Rows(count: 70, dimensions: dimensions, isL2: dimensions % 2 == 0)
      for count in [1, 2, 15, 16, 17, 31, 33, 47, 48, 49, 70] {
        let ids = (0..<count).map { UInt32(($0 * 11 + dimensions) % 70) }
        let width = (count + 15) / 16 * 16
        let codes = UnsafeMutableRawPointer.allocate(
          byteCount: unsafe width * rows.kernelRows.pointee.stride, alignment: 64)
        let factors = UnsafeMutablePointer<Float>.allocate(capacity: 2 * width)
        let sums = UnsafeMutablePointer<Int32>.allocate(capacity: width)
        defer {
          unsafe codes.deallocate()
          unsafe factors.deallocate()
          unsafe sums.deallocate()
        }
        var columns = unsafe vidx_byte_columns(
          codes: codes.assumingMemoryBound(to: UInt8.self), adds: factors, scales: factors + width, sums: sums,
          count: 0)
        unsafe kernels.pack(rows.kernelRows, ids, count, &columns)
        #expect(unsafe columns.count == count)
        let asked = 1 + count % 8
        let own = (0..<asked).map { UInt32(($0 * 5 + count) % 70) }
        var found = [Float](repeating: .nan, count: asked * width + 1)
        unsafe kernels.panel(rows.kernelRows, own, asked, &columns, &found)
        #expect(found[asked * width].isNaN)
        for row in 0..<asked {
          var expected = [Float](repeating: .infinity, count: width)
          unsafe scalar.scores(rows.kernelRows, Int(own[row]), ids, count, &expected)
          let scores = found[(row * width)..<((row + 1) * width)]
          #expect(scores.map(\.bitPattern) == expected.map(\.bitPattern), "\(count) x \(dimensions)")
        }
      }
    }
  }

  @Test(arguments: machineISAs, [1, 2, 8, 31, 32])
  func nearestAreThoseOfAStableSort(isa: String, k: Int) throws {
    let nearest = unsafe try #require(vidx_bytes_named(isa)).pointee.nearest
    var generator = SplitMix(seed: UInt64(k))
    for width in [16, 32, 48, 256, 1024] {
      // Few different scores, so that many are equal; few that are finite; all of them.
      for (levels, finite) in [(1, 10), (5, 9), (1_000_000, 10), (50, 1), (50, 0)] {
        let scores = (0..<width).map { _ in
          Int.random(in: 0..<10, using: &generator) < finite
            ? Float(Int.random(in: -levels...levels, using: &generator)) : .infinity
        }
        let expected = scores.indices.filter { scores[$0].isFinite }.sorted { scores[$0] < scores[$1] }.prefix(k)
        var places = [UInt32](repeating: 0, count: 32)
        let count = unsafe nearest(scores, width, k, &places)
        #expect(places.prefix(count).map { Int($0) } == Array(expected))
      }
    }
  }
}
