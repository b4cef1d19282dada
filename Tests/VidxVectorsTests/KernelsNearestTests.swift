import CVidxKernels
import Testing

@testable import VidxVectors

@Suite struct KernelsNearestTests {
  static let counts = [1, 2, 15, 16, 17, 31, 32, 33, 100, 1024, 1031]

  @Test("The first of the least scores, with and without biases", arguments: counts)
  func nearest(count: Int) {
    var random = Numbers(state: UInt64(count))
    for round in 0..<20 {
      // Few values, so that the least often comes twice.
      let products = (0..<count).map { _ in Float(Int(random.next() % 7) - 3) }
      let biases = (0..<count).map { _ in Float(random.next() % 5) / 2 }
      let scores = round % 2 == 0 ? products.map { -$0 } : zip(products, biases).map { $1 - $0 }
      var least = Float.nan
      let place = unsafe vidx_nearest_of_products(products, round % 2 == 0 ? nil : biases, count, &least)
      #expect(least == scores.min())
      #expect(place == scores.firstIndex(of: least))
      for limit in [-4, -1.5, 0, 9] as [Float] {
        var picked = [UInt32](repeating: .max, count: count)
        let found = unsafe vidx_select_of_products(
          products, round % 2 == 0 ? nil : biases, count, limit, &picked)
        #expect(picked[..<found].map(Int.init) == scores.indices.filter { scores[$0] <= limit })
      }
    }
  }

  @Test("Squared lengths agree with the plain sum", arguments: counts)
  func sumOfSquares(count: Int) {
    var random = Numbers(state: UInt64(count))
    let vector = (0..<count).map { _ in Float(Int(random.next() % 2001) - 1000) / 64 }
    let sum = unsafe vidx_sum_of_squares(vector, count)
    // Multiples of 1/64: the sum is exact in double in any order.
    #expect(sum == vector.reduce(0.0) { $0 + Double($1) * Double($1) })
  }

  @Test("A component that is not finite leaves no finite length", arguments: [Float.nan, .infinity, -.infinity])
  func notFinite(component: Float) {
    for place in 0..<19 {
      var vector = [Float](repeating: 1, count: 19)
      vector[place] = component
      #expect(unsafe !vidx_sum_of_squares(vector, 19).isFinite)
      #expect(throws: VectorError.notFinite(index: place)) { try unsafe requireComparable(vector, count: 19) }
    }
  }

  /// A small linear generator.
  private struct Numbers {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
  }
}
