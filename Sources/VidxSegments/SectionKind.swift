/// What a section of a segment holds. The raw value is its code in the file (docs/FORMAT.md, "Sections").
///
/// `vectorCount` and `entryCount` are those of the header; `stride` is `dimensions` rounded up to 16 floats.
package enum SectionKind: UInt32, Sendable, CaseIterable {
  /// f32, `vectorCount` x `stride`, row-major by ordinal, each row padded with zeros.
  case vectors = 1
  /// i64, `entryCount`: the row id of each entry.
  case rowIDs = 2
  /// i64, `entryCount`: all row ids, strictly ascending.
  case sortedRowIDs = 3
  /// u32, `entryCount`: the entry whose row id is at the same place of `sortedRowIDs`.
  case sortedEntries = 4
  /// u32, `vectorCount` + 1: ordinal o owns the entries `[o] ..< [o + 1]`. Only when rows share vectors.
  case entryStarts = 5
  /// f32, `entryCount`: the length a vector had before it was normalised. Cosine only, only when some is not 1.
  case norms = 6
  /// Fixed-size parameters of the index kind.
  case parameters = 7
  /// HNSW: u32, `vectorCount` x 2M: the links of layer 0.
  case baseLinks = 8
  /// HNSW: where the upper links of each ordinal that has any begin.
  case upperStarts = 9
  /// HNSW: the links of the layers above 0.
  case upperLinks = 10
  /// HNSW: the ordinals that have upper links.
  case upperOrdinals = 11
  /// Lists: f32, lists x `stride`.
  case centroids = 12
  /// Lists: u32, lists + 1: where each list begins, in ordinals.
  case listStarts = 13
  /// What must be known to score the codes (docs/CODECS.md): 16 bytes, and an origin of `dimensions` f32 or none.
  case codecParameters = 14
  /// The code of each vector, by ordinal.
  case codes = 15
  /// The further bits of each vector's code, by ordinal. Only with codecs that have an extension.
  case extensions = 16
  /// HNSW: which settings of a search reach which recall.
  case calibration = 17
  /// Lists: the centroids in codec int8. Only from 64 lists on, and not under l1.
  case centroidCodes = 18
  /// u32 a filter column: how many distinct values it has. Only of indexes that declare filter columns, as the next.
  case filterColumns = 19
  /// 16 bytes a value: the distinct values of each column, ascending.
  case filterValues = 20
  /// The bytes of texts and BLOBs.
  case filterBytes = 21
  /// u32, values + 1 a column: where the entries of each value begin.
  case filterStarts = 22
  /// u32, `entryCount` a column: entries by (value, entry).
  case filterEntries = 23
  /// u32, `entryCount` a column: which value each entry has.
  case filterRanks = 24
  /// f32, lists: how far the vectors of each list lie from its centroid (root mean square).
  case listSpreads = 25
  /// How far searches have to go through the lists for a recall.
  case listReach = 26
}

extension SectionKind {
  /// The version of the format that brought it.
  var version: UInt32 {
    switch rawValue {
    case ..<SectionKind.codecParameters.rawValue: 1
    case ..<SectionKind.filterColumns.rawValue: 2
    default: 3
    }
  }
}

extension SectionKind: CustomStringConvertible {
  package var description: String {
    switch self {
    case .vectors: "vectors"
    case .rowIDs: "rowIDs"
    case .sortedRowIDs: "sortedRowIDs"
    case .sortedEntries: "sortedEntries"
    case .entryStarts: "entryStarts"
    case .norms: "norms"
    case .parameters: "parameters"
    case .baseLinks: "baseLinks"
    case .upperStarts: "upperStarts"
    case .upperLinks: "upperLinks"
    case .upperOrdinals: "upperOrdinals"
    case .centroids: "centroids"
    case .listStarts: "listStarts"
    case .codecParameters: "codecParameters"
    case .codes: "codes"
    case .extensions: "extensions"
    case .calibration: "calibration"
    case .centroidCodes: "centroidCodes"
    case .filterColumns: "filterColumns"
    case .filterValues: "filterValues"
    case .filterBytes: "filterBytes"
    case .filterStarts: "filterStarts"
    case .filterEntries: "filterEntries"
    case .filterRanks: "filterRanks"
    case .listSpreads: "listSpreads"
    case .listReach: "listReach"
    }
  }
}
