package import CVidxKernels

/// The score kernels of one metric on the instruction set in use: function pointers to copy into locals before a loop.
///
/// Scores are smaller-is-nearer: -dot for cosine and inner product, squared distance for l2, the sum for l1.
/// `one`, `four`, `rows` and `ids` give bit-identical scores for the same pair, so a score does not depend on the path.
@safe package struct VectorKernels: Sendable {
  package let metric: Metric
  package let one: vidx_score_one_f32
  package let four: vidx_score_four_f32
  package let rows: vidx_score_rows_f32
  package let ids: vidx_score_ids_f32

  /// - Parameter isa: "scalar", "avx2", "avx512", "neon"; nil, unknown or unsupported: the one in use.
  package init(_ metric: Metric, isa: String? = nil) {
    let named = unsafe isa.flatMap { unsafe vidx_kernels_named($0) }
    let table = unsafe (named ?? vidx_kernels_active()).pointee
    let kernels =
      switch metric {
      case .cosine, .innerProduct: unsafe table.neg_dot
      case .l2: unsafe table.l2sq
      case .l1: unsafe table.l1
      }
    self.metric = metric
    unsafe one = kernels.one
    unsafe four = kernels.four
    unsafe rows = kernels.rows
    unsafe ids = kernels.ids
  }

  /// The instruction set in use: "scalar", "avx2", "avx512" or "neon".
  package static var isa: String { unsafe String(cString: vidx_kernels_active().pointee.isa) }

  /// The instruction sets that `init` and VIDX_ISA can name on this CPU.
  package static var available: [String] {
    ["scalar", "avx2", "avx512", "neon"].filter { unsafe vidx_kernels_named($0) != nil }
  }
}
