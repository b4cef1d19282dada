internal import VidxIndexes
internal import VidxVectors

extension IndexOptions {
  /// Refuses what no index can be, before anything is written.
  func validate() throws(VidxError) {
    try Self.check("dimensions", dimensions, in: IndexLimits.dimensions)
    if let fixed = Codec(rawValue: codec.rawValue), !fixed.supports(metric) {
      throw VidxError(.badOption, "\(CodecError.unsupported(fixed, metric))")
    }
    if let model { try Self.check(model: model) }
    switch type {
    case .flat: break
    case .ivfflat(let lists): try Self.check("lists", lists ?? 0, in: IndexLimits.lists)
    case .hnsw(let m, let efConstruction):
      try Self.check("m", m, in: IndexLimits.m)
      try Self.check("ef_construction", efConstruction, in: IndexLimits.efConstruction)
    }
  }

  /// A name that SQL can write.
  static func check(model: String) throws(VidxError) {
    guard !model.isEmpty, !model.utf8.contains(0) else {
      throw VidxError(
        .badOption, "the name of the model is \(model.isEmpty ? "empty" : "cut short by a NUL"); give one, or none")
    }
  }

  private static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(VidxError) {
    guard range.contains(value) else {
      throw VidxError(
        .badOption, "\(name) is \(value); give a number from \(range.lowerBound) to \(range.upperBound)")
    }
  }
}
