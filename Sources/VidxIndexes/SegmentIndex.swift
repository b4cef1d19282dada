package import VidxSegments
package import VidxVectors

/// One opened segment of any kind. Immutable: any number of threads may search it, without locks.
@safe package final class SegmentIndex: Sendable {
  package let file: SegmentFile
  package let configuration: IndexConfiguration
  /// Rows, those with a zero vector under cosine included.
  package var entryCount: Int { rows.entryCount }
  /// Distinct vectors.
  package var vectorCount: Int { rows.vectorCount }

  let rows: RowTable
  /// nil when the index declares none.
  package let columns: FilterColumns?
  let vectors: Section
  let kernels: VectorKernels
  /// What searches score first.
  package let coded: CodedVectors
  let reranker: Reranker
  let structure: Structure
  /// The lists of the vectors: an IVFFlat index consists of them, a graph may have them beside it.
  let lists: IVFLists?
  let scratch: ScratchPool
  /// Memory of batches over codes.
  let batches = ObjectPool<BatchMemory>()

  enum Structure: Sendable {
    case flat
    case ivfflat(IVFLists)
    case hnsw(HNSWGraph)
  }

  /// Maps a segment; reads its header and a few hundred bytes of parameters, whatever its size.
  /// - Throws: `SegmentError`.
  package static func open(path: String) throws(SegmentError) -> SegmentIndex {
    try SegmentIndex(SegmentFile.shared(path: path))
  }

  package init(_ file: SegmentFile) throws(SegmentError) {
    let description = file.description
    guard let metric = Metric(code: description.metric), IndexLimits.dimensions.contains(description.dimensions),
      description.vectorCount <= IndexLimits.entries,
      description.entryCount <= IndexLimits.entries
    else { throw .invalidContent(section: .parameters, offset: 0, path: file.path) }
    self.file = file
    rows = try RowTable(file)
    columns = try FilterColumns(file)
    let stride = VectorLayout.stride(dimensions: description.dimensions)
    vectors = try file.section(.vectors, expecting: description.vectorCount * stride * 4)
    kernels = VectorKernels(metric)
    coded = try CodedVectors(file, vectors: vectors, metric: metric)
    reranker = Reranker(coded: coded, vectors: RowMemory(vectors, stride: stride * 4), kernels: kernels)
    var configuration = IndexConfiguration(
      dimensions: description.dimensions, metric: metric, kind: description.indexKind, codec: .fixed(coded.codec))
    switch description.indexKind {
    case .flat:
      structure = .flat
      lists = nil
    case .ivfflat:
      let lists = try IVFLists(file, metric: metric)
      configuration.lists = lists.listCount
      configuration.seed = lists.seed
      structure = .ivfflat(lists)
      self.lists = lists
    case .hnsw:
      let graph = try HNSWGraph(file, vectors: vectors, metric: metric)
      configuration.m = Int(graph.parameters.m)
      configuration.efConstruction = Int(graph.parameters.efConstruction)
      configuration.seed = graph.parameters.seed
      structure = .hnsw(graph)
      lists = try IVFLists.beside(graph.parameters, file, metric: metric)
    }
    self.configuration = configuration
    // Only a graph remembers which vectors it has met.
    scratch = ScratchPool(
      vectorCount: description.indexKind == .hnsw ? description.vectorCount : 0, space: coded.space)
  }

  /// Verifies all that searches read everywhere, links and codes, where it is little: of a segment that takes the place
  /// of others while searches go on, the first hundred would wait for it block by block.
  /// - Parameter bytes: of how many at most; then, how many are left.
  package func verifyAhead(upTo bytes: inout Int) throws(SegmentError) {
    var sections = [coded.rows.section, lists?.centroids]
    if case .hnsw(let graph) = structure { sections.append(graph.baseLinks) }
    let found = sections.compactMap { $0 }
    let count = found.reduce(0) { $0 + $1.byteCount }
    if count > bytes { return }
    bytes -= count
    for section in found { try section.verifyAll() }
  }

  /// The value of an entry in a filter column; NULL where the segment has no such column.
  package func value(column: Int, entry: Int) throws(SegmentError) -> ColumnValue {
    guard let columns, column < columns.count else { return .null }
    return try columns.value(column: column, entry: entry)
  }

  /// The entries whose values pass all conditions; a segment without the column has NULLs there.
  package func entries(passing conditions: [FilterCondition]) throws(SegmentError) -> RowSet {
    if let columns, conditions.allSatisfy({ $0.column < columns.count }) {
      return try columns.entries(passing: conditions)
    }
    let stored = columns?.count ?? 0
    guard conditions.allSatisfy({ $0.column < stored || $0.passes(.null) }) else {
      return RowSet(capacity: entryCount)
    }
    let rest = conditions.filter { $0.column < stored }
    return try columns?.entries(passing: rest) ?? RowSet(capacity: entryCount, full: true)
  }

  package func entry(ofRowID id: Int64) throws(SegmentError) -> Int? { try rows.entry(rowID: id) }

  package func rowID(ofEntry entry: Int) throws(SegmentError) -> Int64 { try rows.rowID(entry: entry) }

  /// The i-th smallest row id and its entry, for walking all rows in order.
  package func sortedRow(_ i: Int) throws(SegmentError) -> (rowID: Int64, entry: Int) { try rows.sortedRow(i) }

  /// Puts the entries of ascending, distinct row ids into `set` and returns how many exist here.
  package func insertEntries(
    ofSortedRowIDs ids: UnsafeBufferPointer<Int64>, into set: RowSet
  ) throws(SegmentError) -> Int {
    unsafe try rows.insertEntries(ofSortedRowIDs: ids, into: set)
  }

  /// How many row ids are in a range.
  /// - Complexity: O(log entryCount).
  package func entryCount(in range: ClosedRange<Int64>) throws(SegmentError) -> Int {
    try rows.sortedPlaces(of: range).count
  }

  /// The entries whose row ids are in a range.
  /// - Complexity: O(entryCount / 64 + entries in the range).
  package func entries(in range: ClosedRange<Int64>) throws(SegmentError) -> RowSet {
    let set = RowSet(capacity: entryCount)
    try rows.insertEntries(atSorted: rows.sortedPlaces(of: range), into: set)
    return set
  }

  /// Copies an entry's vector as it was given; under cosine within one unit in the last place of it.
  /// - Parameter destination: room for `configuration.dimensions` floats.
  package func copyVector(
    ofEntry entry: Int, to destination: UnsafeMutablePointer<Float>
  ) throws(SegmentError) {
    let dimensions = configuration.dimensions
    guard let ordinal = try rows.ordinal(entry: entry) else {
      unsafe destination.update(repeating: 0, count: dimensions)
      return
    }
    let norm = try rows.norm(entry: entry)
    let vector = unsafe try vectorPointer(ordinal)
    for i in 0..<dimensions { unsafe destination[i] = vector[i] * norm }
  }

  package func vector(ofEntry entry: Int) throws(SegmentError) -> [Float] {
    var result = [Float](repeating: 0, count: configuration.dimensions)
    var failure: SegmentError?
    unsafe result.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      do throws(SegmentError) { unsafe try copyVector(ofEntry: entry, to: base) } catch { failure = error }
    }
    if let failure { throw failure }
    return result
  }

  /// The vector of an ordinal as the kernels want it, verified.
  func vectorPointer(_ ordinal: Int) throws(SegmentError) -> UnsafePointer<Float> {
    let stride = configuration.stride
    guard ordinal < vectorCount else {
      throw .invalidContent(section: .entryStarts, offset: ordinal * 4, path: file.path)
    }
    if !vectors.isVerified { try vectors.verify(ordinal * stride * 4..<(ordinal + 1) * stride * 4) }
    return unsafe vectors.floats + ordinal * stride
  }

  /// The distance score of one entry; nil for a zero vector under cosine.
  package func score(_ query: PreparedQuery, ofEntry entry: Int) throws(SegmentError) -> Float? {
    guard let ordinal = try rows.ordinal(entry: entry) else { return nil }
    return unsafe try kernels.one(query.floats, vectorPointer(ordinal), configuration.stride)
  }

  /// What is wrong with the structure, checksums aside: empty when it is sound. Reads everything.
  package func check() throws(SegmentError) -> [String] {
    var problems = try rows.problems()
    problems += try columns?.problems() ?? []
    switch structure {
    case .flat, .ivfflat: break
    case .hnsw(let graph): problems += try graph.problems()
    }
    if let lists { problems += try lists.problems() }
    return problems
  }
}
