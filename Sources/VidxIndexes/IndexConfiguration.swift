package import VidxSegments
package import VidxVectors

/// What an index is: fixed when it is made, stored in every segment.
package struct IndexConfiguration: Sendable, Equatable {
  package var dimensions: Int
  package var metric: Metric
  package var kind: IndexKind
  /// HNSW: links per node in the upper layers, twice that at the base (M in Malkov & Yashunin).
  package var m: Int
  /// HNSW: how many candidates an insertion keeps (efConstruction).
  package var efConstruction: Int
  /// IVFFlat: number of lists; 0 lets the builder choose as pgvector advises.
  package var lists: Int
  /// How vectors are coded for navigation and scans; the vectors themselves are kept beside.
  package var codec: CodecChoice
  /// Seeds everything random: levels, k-means. With one thread a build is deterministic.
  package var seed: UInt64

  package init(
    dimensions: Int, metric: Metric = .cosine, kind: IndexKind = .hnsw, m: Int = 16, efConstruction: Int = 128,
    lists: Int = 0, codec: CodecChoice = .auto, seed: UInt64 = 42
  ) {
    self.dimensions = dimensions
    self.metric = metric
    self.kind = kind
    self.m = m
    self.efConstruction = efConstruction
    self.lists = lists
    self.codec = codec
    self.seed = seed
  }

  /// Floats from one vector to the next.
  package var stride: Int { VectorLayout.stride(dimensions: dimensions) }

  /// Bytes from one vector to the next.
  var vectorBytes: Int { stride * MemoryLayout<Float>.stride }
}

/// Which codec an index was asked to have.
package enum CodecChoice: Sendable, Equatable {
  /// The builder measures which one keeps the order of the nearest, for each segment (docs/CODECS.md).
  case auto
  case fixed(Codec)

  /// The name in SQL and on the command line.
  package var name: String {
    switch self {
    case .auto: "auto"
    case .fixed(let codec): codec.rawValue
    }
  }

  package init?(name: String) {
    if name == "auto" {
      self = .auto
    } else if let codec = Codec(rawValue: name) {
      self = .fixed(codec)
    } else {
      return nil
    }
  }

  package static let names = ["auto"] + Codec.allCases.map(\.rawValue)
}

/// Limits of the options, for whoever parses them.
package enum IndexLimits {
  package static let m = 2...256
  package static let efConstruction = 4...4096
  package static let lists = 0...65_536
  package static let dimensions = 1...VectorLayout.maxDimensions
  package static let efSearch = 1...100_000
  /// Rows one segment can hold: ordinals are 32 bits, one of them marks a visited candidate.
  package static let entries = 1 << 31 - 1
  /// Row ids that a filter may give: a gigabyte of memory.
  package static let rowIDs = 1 << 27
}

extension Metric {
  /// The code of the metric in a segment's header.
  package var code: UInt32 {
    switch self {
    case .cosine: 1
    case .l2: 2
    case .innerProduct: 3
    case .l1: 4
    }
  }

  package init?(code: UInt32) {
    switch code {
    case 1: self = .cosine
    case 2: self = .l2
    case 3: self = .innerProduct
    case 4: self = .l1
    default: return nil
    }
  }
}
