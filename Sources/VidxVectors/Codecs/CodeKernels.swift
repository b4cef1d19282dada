package import CVidxKernels

/// The kernels of one codec and metric on the instruction set in use: function pointers to copy into locals before a
/// loop. They take `CodedQuery.raw`, rows and their stride in bytes, and write one score a row, smaller is nearer:
///
///     let ids = kernels.ids
///     ids(query.raw, base, stride, ordinals, count, out)
@safe package struct CodeKernels: Sendable {
  package let codec: Codec
  package let metric: Metric
  /// Scattered rows by ordinal; prefetches the next.
  package let ids: vidx_code_ids
  /// Contiguous rows.
  package let rows: vidx_code_rows
  /// `ids` with bounds: |estimate - score| is at most the bound, for rabitq with high probability (docs/CODECS.md).
  package let boundedIDs: vidx_code_bounded_ids
  /// `rows` with bounds.
  package let boundedRows: vidx_code_bounded_rows
  /// Estimates from the rows and their extensions together; nil without extension.
  package let refine: vidx_code_refine?
  /// Rows that `vidx_code_transpose` has put into blocks, those below a limit only; nil where that gains nothing.
  package let blocks: vidx_code_blocks?

  /// - Parameter isa: "scalar", "avx2", "avx512", "neon"; nil, unknown or unsupported: the one in use.
  /// - Throws: `CodecError.unsupported`.
  package init(_ codec: Codec, _ metric: Metric, isa: String? = nil) throws(CodecError) {
    guard codec.supports(metric) else { throw .unsupported(codec, metric) }
    let table = unsafe Self.table(isa: isa).pointee
    let kernels = unsafe Self.kernels(codec, metric, table)
    self.codec = codec
    self.metric = metric
    unsafe ids = kernels.ids
    unsafe rows = kernels.rows
    unsafe boundedIDs = kernels.bounded_ids
    unsafe boundedRows = kernels.bounded_rows
    switch codec {
    case .f32, .f16: unsafe blocks = nil
    case .int8: unsafe blocks = table.int8_blocks
    case .int4: unsafe blocks = table.int4_blocks
    default: unsafe blocks = table.bits_blocks
    }
    switch codec {
    case .rabitq2: unsafe refine = table.refine2
    case .rabitq4: unsafe refine = table.refine4
    case .rabitq6: unsafe refine = table.refine6
    default: unsafe refine = nil
    }
  }

  private static func kernels(_ codec: Codec, _ metric: Metric, _ table: vidx_codes) -> vidx_code_kernels {
    switch (codec, metric) {
    case (.f32, .cosine), (.f32, .innerProduct): unsafe table.f32_neg_dot
    case (.f32, .l2): unsafe table.f32_l2sq
    case (.f32, .l1): unsafe table.f32_l1
    case (.f16, .cosine), (.f16, .innerProduct): unsafe table.f16_neg_dot
    case (.f16, .l2): unsafe table.f16_l2sq
    case (.f16, .l1): unsafe table.f16_l1
    case (.int8, _): unsafe table.int8
    case (.int4, _): unsafe table.int4
    default: unsafe table.bits
    }
  }

  /// A function that reads memory and does nothing else, for benchmarks.
  package static func readMemory(isa: String? = nil) -> @convention(c) (UnsafeRawPointer, Int) -> UInt64 {
    unsafe table(isa: isa).pointee.read
  }

  /// A function that takes a cycle for each addition of so many (a multiple of 16), for benchmarks.
  package static var additionsInSequence: @convention(c) (UInt64) -> Void { vidx_add_in_sequence }

  /// The instruction set, with the parts of it in use.
  package static func isa(_ isa: String?) -> String { unsafe String(cString: table(isa: isa).pointee.isa) }

  static func table(isa: String?) -> UnsafePointer<vidx_codes> {
    let named = unsafe isa.flatMap { unsafe vidx_codes_named($0) }
    return unsafe named ?? vidx_codes_active()
  }
}
