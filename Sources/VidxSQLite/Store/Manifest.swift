import VidxIndexes
import VidxSegments
import VidxVectors

/// The segments of an index that the database names, with their tombstones.
struct Settled {
  /// The mark of the revision this was read at.
  var mark: UInt64
  var views: [SegmentView]

  var liveCount: Int { views.reduce(0) { $0 + $1.liveCount } }
}

extension IndexStore {
  /// Reads the manifest and the tombstones; files that are open already stay open.
  /// - Throws: when a segment is missing, damaged, or not this index's.
  func readSettled(_ revision: Revision, reusing old: [SegmentView]) throws -> Settled {
    let opened = Dictionary(old.map { ($0.fileName, $0.index) }) { first, _ in first }
    let manifest = try tables.statement(.segments)
    defer { manifest.reset() }
    var views: [SegmentView] = []
    let waiting = unverified
    unverified = []
    var (ids, names) = (Set<Int64>(), Set<String>())
    while try manifest.step() {
      let fileName = try manifest.textOrNull(1) ?? ""
      // The table does not allow it, but somebody may have made another table.
      guard ids.insert(manifest.int64(0)).inserted, names.insert(fileName).inserted else {
        throw StoreError.repeatedSegment(index: table, file: fileName)
      }
      let index = try opened[fileName] ?? openSegment(fileName, entryCount: manifest.int64(2))
      let isNew = !opened.isEmpty && opened[fileName] == nil
      if isNew || waiting.contains(where: { $0 === index }) { unverified.append(index) }
      views.append(SegmentView(id: manifest.int64(0), fileName: fileName, index: index))
    }
    try readTombstones(into: views)
    return Settled(mark: revision.settledMark, views: views)
  }

  private func readTombstones(into views: [SegmentView]) throws {
    if views.isEmpty { return }
    let views = Dictionary(uniqueKeysWithValues: views.map { ($0.id, $0) })
    let statement = try tables.statement(.tombstones)
    defer { statement.reset() }
    while try statement.step() {
      let entry = statement.int64(1)
      guard let view = views[statement.int64(0)], entry >= 0, entry < Int64(view.index.entryCount) else {
        let file = views[statement.int64(0)]?.fileName ?? "a segment that is gone"
        throw StoreError.damagedTombstone(index: table, file: file, entry: entry)
      }
      view.kill(Int(entry))
    }
  }

  /// Opens a segment and sees that it is what the database says.
  func openSegment(_ fileName: String, entryCount: Int64) throws(StoreError) -> SegmentIndex {
    guard let folder else { throw .inMemory(index: table) }
    let index: SegmentIndex
    do throws(SegmentError) {
      index = try SegmentIndex.open(path: folder.path(ofFile: fileName))
    } catch {
      throw .segment(index: table, error)
    }
    let expected = definition.configuration
    func check(_ agrees: Bool, _ disagreement: SegmentDisagreement) throws(StoreError) {
      if !agrees { throw .foreignSegment(index: table, file: index.file.path, disagreement) }
    }
    try check(index.configuration.dimensions == expected.dimensions, .dimensions)
    try check(index.configuration.metric == expected.metric, .metric)
    // Flat: of rows that came in bulk, over which nothing is built yet.
    try check([expected.kind, .flat].contains(index.configuration.kind), .kind)
    try check(Int64(index.entryCount) == entryCount, .entryCount)
    try check(index.columns?.count ?? 0 == definition.filterColumns.count, .filterColumns)
    return index
  }
}
