import CVidxKernels
import TestSupport
import Testing
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct KernelsMatrixTests {
  struct Shape: CustomStringConvertible, Sendable {
    let m, n, k: Int
    var description: String { "\(m) x \(n) x \(k)" }

    init(_ m: Int, _ n: Int, _ k: Int) { (self.m, self.n, self.k) = (m, n, k) }
  }

  /// Single elements, whole tiles (12 x 32, 6 x 16, 12 x 8, 6 x 8), one beyond, and across the blocks of 192 rows of A,
  /// 1024 of B and 384 terms.
  static let shapes = [
    Shape(1, 1, 1), Shape(3, 5, 7), Shape(1, 40, 33), Shape(40, 1, 33), Shape(12, 32, 16), Shape(24, 64, 48),
    Shape(13, 33, 17), Shape(25, 65, 1), Shape(17, 31, 400), Shape(5, 9, 1200), Shape(200, 40, 9), Shape(7, 1040, 5),
  ]

  @Test("Our own product agrees with double precision", arguments: machineISAs, shapes)
  func own(isa: String, shape: Shape) throws {
    let multiply = unsafe try Self.product(isa)
    unsafe Self.check(shape, threads: 1, by: multiply)
  }

  @Test("The chosen product agrees with double precision", arguments: shapes)
  func chosen(shape: Shape) { unsafe Self.check(shape, threads: 2, by: vidx_sgemm_nt) }

  @Test("The system's BLAS agrees with double precision")
  func system() async {
    await #expect(processExitsWith: .success) {
      unsafe setenv("VIDX_BLAS", "system", 1)  // read at first use, which is below
      for shape in KernelsMatrixTests.shapes { unsafe KernelsMatrixTests.check(shape, threads: 2, by: vidx_sgemm_nt) }
      let name = unsafe String(cString: vidx_blas_name())
      #expect(["openblas", "accelerate", "own"].contains(name))
    }
  }

  @Test("VIDX_BLAS=own loads none")
  func ownForced() async {
    await #expect(processExitsWith: .success) {
      unsafe setenv("VIDX_BLAS", "own", 1)
      let name = unsafe String(cString: vidx_blas_name())
      #expect(name == "own")
    }
  }

  @Test("Threads change no bit", arguments: machineISAs)
  func threads(isa: String) throws {
    // Large enough to be cut: along the rows, and along the columns.
    for shape in [Shape(2003, 290, 40), Shape(290, 2003, 40)] {
      let multiply = unsafe try Self.product(isa)
      let (a, b) = (Self.matrix(shape.m * shape.k, seed: 11), Self.matrix(shape.n * shape.k, seed: 12))
      var alone = [Float](repeating: .nan, count: shape.m * shape.n)
      unsafe multiply(a, shape.k, b, shape.k, &alone, shape.n, shape.m, shape.n, shape.k, 1)
      for threads: Int32 in [2, 3] {
        var together = [Float](repeating: .nan, count: shape.m * shape.n)
        unsafe multiply(a, shape.k, b, shape.k, &together, shape.n, shape.m, shape.n, shape.k, threads)
        #expect(together == alone, "\(threads) threads, \(shape)")
      }
    }
  }

  @Test("No terms give zeros, no rows or columns write nothing", arguments: machineISAs)
  func empty(isa: String) throws {
    let multiply = unsafe try Self.product(isa)
    let some = [Float](repeating: 1, count: 16)
    var c = [Float](repeating: 3, count: 6)
    unsafe multiply(some, 4, some, 4, &c, 3, 0, 3, 4, 1)
    unsafe multiply(some, 4, some, 4, &c, 3, 2, 0, 4, 1)
    #expect(c == [3, 3, 3, 3, 3, 3])
    unsafe multiply(some, 4, some, 4, &c, 3, 2, 2, 0, 1)
    #expect(c == [0, 0, 3, 0, 0, 3])
  }

  static func product(_ isa: String) throws -> vidx_sgemm_nt_f32 {
    let table = unsafe vidx_kernels_named(isa)?.pointee
    return unsafe try #require(table?.sgemm_nt)
  }

  static func matrix(_ count: Int, seed: UInt64) -> [Float] {
    var generator = SplitMix(seed: seed)
    return (0..<count).map { _ in .random(in: -1...1, using: &generator) }
  }

  /// Leading dimensions beyond the row lengths, NaN in the gaps of A and B: read, they would spread; written, they
  /// show.
  static func check(_ shape: Shape, threads: Int32, by multiply: vidx_sgemm_nt_f32) {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let a = TestRows(count: m, dimensions: k, padding: 3, seed: 13)
    let b = TestRows(count: n, dimensions: k, padding: 5, seed: 14)
    var c = [Float](repeating: -7, count: m * (n + 2))
    unsafe multiply(a.first, a.stride, b.first, b.stride, &c, n + 2, m, n, k, threads)
    for i in 0..<m {
      for j in 0..<n {
        // The terms may be added in any order: one rounding for each.
        let reference = unsafe ReferenceScore(.innerProduct, a[i], b[j], k)
        let difference = abs(Double(c[i * (n + 2) + j]) + reference.score)
        #expect(difference <= Double(k + 2) * 0x1p-24 * reference.magnitude, "\(shape), element \(i), \(j)")
      }
      #expect(c[i * (n + 2) + n] == -7 && c[i * (n + 2) + n + 1] == -7, "\(shape), beyond row \(i)")
    }
  }
}
