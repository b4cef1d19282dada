import CVidxKernels
import TestSupport
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The instruction sets that this machine can run, best first: each is tested.
let machineISAs = ["avx512", "avx2", "neon", "scalar"].filter { (isa: String) in unsafe vidx_kernels_named(isa) != nil }

/// Those of codes: a CPU whose best ones need a part that others lack is tested without it too.
let codeISAs = machineISAs + ["avx512+vnni"].filter { (isa: String) in unsafe vidx_codes_named(isa) != nil }

/// Every dimension around the lane counts, and those of common models.
let testedDimensions = Array(1...80) + [384, 768, 1536, 4096]

/// Rows of random floats in -1...1, `shift` floats beyond a 64-byte boundary and `stride` apart, with NaN before,
/// between and after: a kernel that takes in a float of the neighbourhood shows it.
@safe final class TestRows {
  let dimensions: Int
  let stride: Int
  let first: UnsafeMutablePointer<Float>
  private let storage: UnsafeMutableRawPointer

  init(count: Int, dimensions: Int, shift: Int = 0, padding: Int = 16, seed: UInt64) {
    self.dimensions = dimensions
    stride = dimensions + padding
    let floats = 16 + shift + count * stride + 16
    unsafe storage = .allocate(byteCount: floats * 4, alignment: 64)
    let all = unsafe storage.bindMemory(to: Float.self, capacity: floats)
    unsafe all.initialize(repeating: .nan, count: floats)
    unsafe first = all + 16 + shift
    var generator = SplitMix(seed: seed)
    for row in 0..<count {
      for i in 0..<dimensions { unsafe first[row * stride + i] = .random(in: -1...1, using: &generator) }
    }
  }

  deinit { unsafe storage.deallocate() }

  subscript(row: Int) -> UnsafeMutablePointer<Float> { unsafe first + row * stride }
}

/// A score in double precision, and the sum of its terms' magnitudes, which errors are relative to.
struct ReferenceScore {
  var score = 0.0
  var magnitude = 0.0

  init(_ metric: Metric, _ query: UnsafePointer<Float>, _ vector: UnsafePointer<Float>, _ dimensions: Int) {
    for i in 0..<dimensions {
      let (q, v) = unsafe (Double(query[i]), Double(vector[i]))
      let term =
        switch metric {
        case .cosine, .innerProduct: -q * v
        case .l2: (q - v) * (q - v)
        case .l1: abs(q - v)
        }
      score += term
      magnitude += abs(term)
    }
  }

  /// How far a kernel's score may be off: one rounding (2^-24) for each addition on the longest way of a term into the
  /// result, and two for the term itself (a difference, squared). Four accumulators of `lanes` share the terms, the
  /// first takes up to three vectors of the rest, and 2 + log2(lanes) additions join them. Scalar rounds once, from
  /// double.
  func bound(isa: String, dimensions: Int) -> Double {
    let lanes = ["avx512": 16, "avx2": 8, "neon": 4][isa] ?? 1
    let roundings = lanes == 1 ? 1 : dimensions / (4 * lanes) + 3 + 2 + lanes.trailingZeroBitCount + 2
    return (Double(roundings) * 0x1p-24 + Double(dimensions) * 0x1p-52) * magnitude
  }
}

/// Memory whose end is the end of what may be touched: the next byte traps.
@safe struct GuardedFloats {
  private let pages: UnsafeMutableRawPointer
  private let pageSize: Int

  /// Two pages, the second without access; nil when the system refuses.
  init?() {
    pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard
      let mapped = unsafe mmap(nil, 2 * pageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
      unsafe mapped != MAP_FAILED, unsafe mprotect(mapped + pageSize, pageSize, PROT_NONE) == 0
    else { return nil }
    unsafe pages = mapped
  }

  /// The last `count` floats before the trap.
  func last(_ count: Int) -> UnsafeMutablePointer<Float> {
    unsafe (pages + pageSize - count * 4).assumingMemoryBound(to: Float.self)
  }
}
