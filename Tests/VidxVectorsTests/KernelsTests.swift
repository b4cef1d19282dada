import CVidxKernels
import Testing
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct KernelsTests {
  /// Kernels differ by score, and cosine shares the inner product's.
  static let metrics: [Metric] = [.innerProduct, .l2, .l1]

  @Test("One score agrees with double precision", arguments: machineISAs, metrics)
  func oneAgreesWithDouble(isa: String, metric: Metric) {
    let kernels = VectorKernels(metric, isa: isa)
    for dimensions in testedDimensions {
      let query = TestRows(count: 1, dimensions: dimensions, seed: 1)
      let rows = TestRows(count: 8, dimensions: dimensions, seed: 2)
      for row in 0..<8 {
        let score = unsafe Double(kernels.one(query[0], rows[row], dimensions))
        let reference = unsafe ReferenceScore(metric, query[0], rows[row], dimensions)
        let bound = reference.bound(isa: isa, dimensions: dimensions)
        #expect(abs(score - reference.score) <= bound, "dimensions \(dimensions), row \(row)")
      }
    }
  }

  @Test("All forms give the same bits", arguments: machineISAs, metrics)
  func formsAgree(isa: String, metric: Metric) {
    let kernels = VectorKernels(metric, isa: isa)
    for dimensions in testedDimensions {
      let query = TestRows(count: 1, dimensions: dimensions, seed: 3)
      let rows = TestRows(count: 14, dimensions: dimensions, shift: 5, padding: dimensions % 3, seed: 4)
      let expected = (0..<14).map { row in unsafe kernels.one(query[0], rows[row], dimensions).bitPattern }

      var four = [Float](repeating: .nan, count: 4)
      unsafe kernels.four(query[0], rows[9], rows[0], rows[13], rows[9], dimensions, &four)
      #expect(four.map(\.bitPattern) == [9, 0, 13, 9].map { expected[$0] }, "four, dimensions \(dimensions)")

      for count in 0...14 {
        let ids = (0..<count).map { UInt32($0 * 5 % 14) }
        var byRows = [Float](repeating: -7, count: 15)
        var byIDs = byRows
        unsafe kernels.rows(query[0], rows.first, rows.stride, count, dimensions, &byRows)
        unsafe kernels.ids(query[0], rows.first, rows.stride, ids, count, dimensions, &byIDs)
        #expect(byRows[..<count].map(\.bitPattern) == Array(expected[..<count]), "rows \(count) x \(dimensions)")
        #expect(byIDs[..<count].map(\.bitPattern) == ids.map { expected[Int($0)] }, "ids \(count) x \(dimensions)")
        #expect(byRows[count...].allSatisfy { $0 == -7 } && byIDs[count...].allSatisfy { $0 == -7 })
      }
    }
  }

  @Test("Alignment changes nothing", arguments: machineISAs, metrics)
  func alignmentChangesNothing(isa: String, metric: Metric) {
    let kernels = VectorKernels(metric, isa: isa)
    for dimensions in [1, 7, 16, 33, 63, 64, 80, 129, 384] {
      let aligned = TestRows(count: 2, dimensions: dimensions, seed: 5)
      let expected = unsafe kernels.one(aligned[0], aligned[1], dimensions)
      for shift in 1...15 {  // 4...60 bytes
        let shifted = TestRows(count: 2, dimensions: dimensions, shift: shift, seed: 5)
        let both = unsafe kernels.one(shifted[0], shifted[1], dimensions)
        let vectorOnly = unsafe kernels.one(aligned[0], shifted[1], dimensions)
        #expect(both == expected && vectorOnly == expected, "dimensions \(dimensions), shift \(shift)")
      }
    }
  }

  @Test("Scores of equal vectors are exact", arguments: machineISAs)
  func equalVectors(isa: String) {
    for dimensions in testedDimensions {
      let vector = (1...dimensions).map { Float($0 % 8) }  // sums of small integers round nowhere
      let squares = vector.reduce(0) { $0 + $1 * $1 }
      #expect(Self.score(.innerProduct, isa, vector, vector) == -squares)
      #expect(Self.score(.l2, isa, vector, vector) == 0)
      #expect(Self.score(.l1, isa, vector, vector) == 0)
    }
  }

  @Test("A NaN anywhere makes the score NaN, in its row only", arguments: machineISAs, metrics)
  func nanPropagates(isa: String, metric: Metric) {
    let kernels = VectorKernels(metric, isa: isa)
    for dimensions in [1, 5, 16, 31, 64, 79] {
      for position in 0..<dimensions {
        let query = TestRows(count: 1, dimensions: dimensions, seed: 7)
        let rows = TestRows(count: 5, dimensions: dimensions, seed: 8)
        unsafe rows[2][position] = .nan
        var scores = [Float](repeating: 0, count: 5)
        unsafe kernels.ids(query[0], rows.first, rows.stride, [0, 1, 2, 3, 2], 5, dimensions, &scores)
        #expect(scores.map(\.isNaN) == [false, false, true, false, true], "position \(position) of \(dimensions)")
      }
    }
  }

  @Test("Infinities go through", arguments: machineISAs)
  func infinities(isa: String) {
    for (dimensions, position) in [(1, 0), (17, 16), (64, 40), (80, 79)] {
      let ones = [Float](repeating: 1, count: dimensions)
      var infinite = ones
      infinite[position] = .infinity
      #expect(Self.score(.innerProduct, isa, ones, infinite) == -.infinity)
      #expect(Self.score(.l2, isa, ones, infinite) == .infinity)
      #expect(Self.score(.l1, isa, ones, infinite) == .infinity)
      #expect(Self.score(.l2, isa, infinite, infinite).isNaN)
    }
  }

  private static func score(_ metric: Metric, _ isa: String, _ query: [Float], _ vector: [Float]) -> Float {
    unsafe VectorKernels(metric, isa: isa).one(query, vector, query.count)
  }

  @Test("No dimensions score zero, no rows write nothing", arguments: machineISAs, metrics)
  func nothing(isa: String, metric: Metric) {
    let kernels = VectorKernels(metric, isa: isa)
    let rows = TestRows(count: 4, dimensions: 0, padding: 0, seed: 9)
    var scores = [Float](repeating: 1, count: 5)
    unsafe kernels.rows(rows.first, rows.first, 0, 4, 0, &scores)
    #expect(scores == [0, 0, 0, 0, 1])
    unsafe kernels.rows(rows.first, rows.first, 16, 0, 16, &scores)
    unsafe kernels.ids(rows.first, rows.first, 16, [], 0, 16, &scores)
    #expect(scores == [0, 0, 0, 0, 1])
  }

  @Test("No byte beyond a vector's end is touched")
  func staysInside() async {
    await #expect(processExitsWith: .success) { try KernelsTests.scoreBeforeTraps() }
  }

  private static func scoreBeforeTraps() throws {
    let queryMemory = try #require(GuardedFloats())
    let vectorMemory = try #require(GuardedFloats())
    var out = [Float](repeating: 0, count: 5)
    for isa in machineISAs {
      for metric in metrics {
        let kernels = VectorKernels(metric, isa: isa)
        for dimensions in 1...130 {
          let query = unsafe queryMemory.last(dimensions)
          let vector = unsafe vectorMemory.last(dimensions)
          _ = unsafe kernels.one(query, vector, dimensions)
          unsafe kernels.four(query, vector, vector, vector, vector, dimensions, &out)
          unsafe kernels.rows(query, vectorMemory.last(5 * dimensions), dimensions, 5, dimensions, &out)
          unsafe kernels.ids(
            query, vectorMemory.last(5 * dimensions), dimensions, [4, 3, 4, 0, 4], 5, dimensions, &out)
        }
      }
    }
  }
}

@Suite struct DispatchTests {
  @Test("A table is found by its own name, and only then", arguments: machineISAs)
  func named(isa: String) {
    #expect(Self.named(isa) == isa)
    #expect(Self.named(isa.uppercased()) == nil)
    #expect(Self.named("") == nil)
  }

  @Test("VIDX_ISA forces what the CPU has; anything else leaves the best")
  func chosen() {
    for isa in machineISAs { #expect(Self.chosen(forced: isa) == isa) }
    #expect(Self.chosen(forced: nil) == machineISAs.first)
    #expect(Self.chosen(forced: "sse9") == machineISAs.first)
  }

  @Test("The active table is the one this process was started with")
  func active() {
    let forced = unsafe getenv("VIDX_ISA").map { unsafe String(cString: $0) }
    #expect(VectorKernels.isa == Self.chosen(forced: forced))
  }

  private static func named(_ isa: String) -> String? {
    unsafe vidx_kernels_named(isa).map { unsafe String(cString: $0.pointee.isa) }
  }

  private static func chosen(forced: String?) -> String {
    unsafe String(cString: vidx_kernels_chosen(forced).pointee.isa)
  }
}
