import VidxIndexes
import VidxSegments
import VidxVectors

extension IndexStore {
  /// Everything that is wrong with the index, one line each; empty when it is sound.
  ///
  /// Reads every byte of every segment: checksums, the structure of each index, the manifest, the tombstones, the
  /// delta, that no row lives twice, and that the rows are those of the content table.
  /// - Parameter deep: also compare every vector with the content table's.
  /// - Throws: only what keeps the check itself from running: `SQLiteError`, `StoreError.damagedDefinition`.
  package func integrityCheck(deep: Bool = false) throws -> [String] {
    let statement = try tables.statement(.readRevision)
    defer { statement.reset() }
    // On its row the statement holds the read transaction open: all that follows is of one state.
    let revision = try revision(in: statement)
    var check = IntegrityCheck(store: self, revision: revision)
    do { _ = try maintenanceSettings() } catch let error as StoreError { check.problems.append(error.message) }
    var unfinished: UnfinishedBuild?
    do { unfinished = try unfinishedBuild() } catch let error as StoreError { check.problems.append(error.message) }
    try check.segments()
    try check.tombstones()
    try check.delta()
    check.rowsLivingTwice()
    try check.content(deep: deep, unfinished)
    return check.problems
  }
}

/// An integrity check in progress.
private struct IntegrityCheck {
  let store: IndexStore
  private let revision: Revision
  var problems: [String] = []
  private var views: [Int64: SegmentView] = [:]
  /// Every live row, ascending by row id once `rowsLivingTwice` has run.
  private var live: [(rowID: Int64, segment: Int64?)] = []
  /// Some segment cannot be read, so which rows there are is not known.
  private var isIncomplete = false

  init(store: IndexStore, revision: Revision) { (self.store, self.revision) = (store, revision) }

  mutating func segments() throws {
    let manifest = try store.tables.statement(.segments)
    defer { manifest.reset() }
    var names = Set<String>()
    while try manifest.step() {
      let fileName = try manifest.textOrNull(1) ?? ""
      guard names.insert(fileName).inserted, views[manifest.int64(0)] == nil else {
        problems.append(StoreError.repeatedSegment(index: store.table, file: fileName).message)
        continue
      }
      do {
        let index = try store.openSegment(fileName, entryCount: manifest.int64(2))
        views[manifest.int64(0)] = SegmentView(id: manifest.int64(0), fileName: fileName, index: index)
        let damage = index.file.check()
        problems += damage.map(\.message)
        if damage.isEmpty { problems += try index.check().map { "\(index.file.path): \($0)" } }
      } catch let error as SQLiteError {
        throw error
      } catch {
        problems.append("\(error)")
        isIncomplete = true
      }
    }
  }

  mutating func tombstones() throws {
    let statement = try store.tables.statement(.tombstones)
    defer { statement.reset() }
    var strays = 0
    while try statement.step() {
      let entry = statement.int64(1)
      guard let view = views[statement.int64(0)] else {
        if !isIncomplete { strays += 1 }
        continue
      }
      if entry >= 0, entry < Int64(view.index.entryCount) {
        view.kill(Int(entry))
      } else {
        let error = StoreError.damagedTombstone(index: store.table, file: view.fileName, entry: entry)
        problems.append(error.message)
      }
    }
    if strays > 0 { problems.append("index \(store.table) has \(strays) tombstones of segments that are gone") }
    try collectLive()
  }

  private mutating func collectLive() throws {
    for view in views.values {
      do throws(SegmentError) {
        for i in 0..<view.index.entryCount {
          let row = try view.index.sortedRow(i)
          if row.entry < view.index.entryCount, view.isLive(row.entry) { live.append((row.rowID, view.id)) }
        }
      } catch {
        // The damage itself is among the problems already.
        isIncomplete = true
      }
    }
  }

  mutating func delta() throws {
    let configuration = store.definition.configuration
    let statement = try store.tables.statement(.deltaRows)
    defer { statement.reset() }
    var vector = [Float](repeating: 0, count: configuration.dimensions)
    while try statement.step() {
      let rowID = statement.int64(0)
      live.append((rowID, nil))
      let isWhole = store.copyFloats(of: statement, column: 1, to: &vector)
      do throws(VectorError) {
        if isWhole { try validate(vector, dimensions: configuration.dimensions) }
      } catch {
        problems.append("\(StoreError.damagedDelta(index: store.table, rowID: rowID).message) (\(error))")
      }
      if !isWhole { problems.append(StoreError.damagedDelta(index: store.table, rowID: rowID).message) }
    }
    try stamps()
  }

  /// A row of the delta whose stamp is not that of a change so far would be read at the wrong time, or never.
  private mutating func stamps() throws(SQLiteError) {
    let statement = try store.tables.statement(.deltaStrays)
    defer { statement.reset() }
    try statement.bind(revision.stamp, at: 1)
    if try statement.step(), statement.int64(0) > 0 {
      problems.append(
        "index \(store.table) has \(statement.int64(0)) new rows with stamps of no change, the first is row "
          + "\(statement.int64(1)): write them again")
    }
  }

  mutating func rowsLivingTwice() {
    live.sort { $0.rowID < $1.rowID }
    for (a, b) in zip(live, live.dropFirst()) where a.rowID == b.rowID {
      let places = [a, b].map { row in row.segment.flatMap { views[$0]?.fileName } ?? "the delta" }
      problems.append("row \(a.rowID) of index \(store.table) is both in \(places[0]) and in \(places[1])")
    }
  }

  mutating func content(deep: Bool, _ unfinished: UnfinishedBuild?) throws {
    let content: ContentTable
    do {
      guard let table = try store.contentTable() else { return }
      content = table
    } catch let error as StoreError {
      problems.append(error.message)
      return
    }
    if isIncomplete {
      problems.append("index \(store.table) was not compared with \(content.name): not all of its segments can be read")
      return
    }
    let expected = try content.rowIDs()
    let actual = live.map(\.rowID)
    var missing = IndexStore.subtract(actual, from: expected)
    // A build in parts has not come to those behind yet.
    if let unfinished { missing.removeAll { $0 > unfinished.lastRowID ?? .min } }
    report(missing, "rows of \(content.name) are missing from index \(store.table)")
    report(
      IndexStore.subtract(expected, from: actual), "rows of index \(store.table) are not in \(content.name)")
    if deep { try compareVectors(content) }
  }

  private mutating func report(_ rowIDs: [Int64], _ what: String) {
    if rowIDs.isEmpty { return }
    let shown = rowIDs.prefix(5).map(String.init).joined(separator: ", ")
    problems.append("\(rowIDs.count) \(what): \(shown)\(rowIDs.count > 5 ? ", ..." : "")")
  }

  private mutating func compareVectors(_ content: ContentTable) throws {
    let configuration = store.definition.configuration
    let names = ([content.column] + content.filterColumns).map { quoted(identifier: $0) }
    let statement = try content.connection.prepare(
      """
      SELECT \(names.joined(separator: ", ")) FROM \(content.qualifiedName) \
      WHERE \(quoted(identifier: content.key)) = ?1
      """)
    var different: [Int64] = []
    var otherwise: [Int64] = []
    for (rowID, segment) in live {
      do {
        try statement.bind(rowID, at: 1)
        defer { statement.reset() }
        guard try statement.step(), !statement.isNull(0) else { continue }
        let expected = try content.vector(
          statement, column: 0, rowID: rowID, dimensions: configuration.dimensions, metric: configuration.metric)
        if try !Self.agree(expected, vector(rowID, segment)) { different.append(rowID) }
        let values = statement.columnValues(from: 1, count: content.filterColumns.count)
        if try zip(values, self.values(rowID, segment)).contains(where: { ColumnValue.compare($0, $1) != 0 }) {
          otherwise.append(rowID)
        }
      } catch let error as SQLiteError {
        throw error
      } catch {
        problems.append("\(error)")
      }
    }
    report(different, "rows have another vector in index \(store.table) than in \(content.name)")
    report(otherwise, "rows have other values in the filter columns of index \(store.table) than in \(content.name)")
  }

  private func values(_ rowID: Int64, _ segment: Int64?) throws -> [ColumnValue] {
    guard let view = segment.flatMap({ views[$0] }) else { return try store.values(rowID, at: .delta) }
    return try store.settling {
      guard let entry = try view.index.entry(ofRowID: rowID) else { return [] }
      return try store.values(rowID, at: .segment(view, entry: entry))
    }
  }

  private func vector(_ rowID: Int64, _ segment: Int64?) throws -> [Float] {
    guard let view = segment.flatMap({ views[$0] }) else { return try store.vector(rowID, at: .delta) }
    return try store.settling {
      guard let entry = try view.index.entry(ofRowID: rowID) else { return [] }
      return try view.index.vector(ofEntry: entry)
    }
  }

  /// Equal up to the rounding of a vector that was normalised and scaled back, a few times over.
  private static func agree(_ a: [Float], _ b: [Float]) -> Bool {
    let largest = a.reduce(0) { max($0, abs($1)) }
    return a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= largest * 1e-6 }
  }
}
