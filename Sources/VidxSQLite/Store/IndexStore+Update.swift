package import VidxIndexes
import VidxSegments
import VidxVectors

/// What an insert does when the row id is taken.
package enum ConflictPolicy: Sendable {
  /// Throws `StoreError.rowExists`.
  case abort
  /// Leaves the row that is there.
  case ignore
  /// Replaces the vector that is there.
  case replace
}

extension IndexStore {
  /// Adds a row.
  /// - Parameters:
  ///   - rowID: nil for one more than the highest.
  ///   - vector: as many finite floats as the index has dimensions. A zero vector under cosine is kept, but it is never
  ///     anybody's neighbour.
  ///   - values: one for each filter column; empty stands for NULLs.
  /// - Returns: the row id.
  /// - Throws: `StoreError.vector`, `.rowExists`, `.rowIDsExhausted`; `SQLiteError`.
  @discardableResult
  package func insert(
    rowID: Int64?, vector: [Float], values: [ColumnValue] = [], onConflict: ConflictPolicy = .abort
  ) throws -> Int64 {
    try check(vector, rowID: rowID)
    let row = StoredRow(vector: vector, values: values.isEmpty ? nulls : values)
    var edit = Edit(try refresh(includingDelta: false))
    let id = try rowID ?? nextRowID()
    let place = try rowID == nil ? nil : place(of: id)
    if let place {
      switch onConflict {
      case .abort: throw StoreError.rowExists(index: table, rowID: id)
      case .ignore: return id
      case .replace: try replace(id, at: place, with: row, in: &edit)
      }
    } else {
      try put(id, row, .insertDelta, in: &edit)
    }
    try commit(edit)
    return id
  }

  /// Changes the row id, the vector or the values of a row.
  /// - Parameters:
  ///   - vector: nil to keep it.
  ///   - values: one for each filter column, nil to keep the value; empty to keep them all.
  /// - Throws: `StoreError.noRow`, `.vector`, `.rowExists` when the new row id is taken; `SQLiteError`.
  package func update(
    rowID old: Int64, to new: Int64, vector: [Float]? = nil, values: [ColumnValue?] = [],
    onConflict: ConflictPolicy = .abort
  ) throws {
    if let vector { try check(vector, rowID: new) }
    var edit = Edit(try refresh(includingDelta: false))
    guard let place = try place(of: old) else { throw StoreError.noRow(index: table, rowID: old) }
    if old == new {
      if vector == nil, values.allSatisfy({ $0 == nil }) { return }
      try replace(old, at: place, with: changed(old, at: place, vector, values), in: &edit)
      return try commit(edit)
    }
    let row = try changed(old, at: place, vector, values)
    let target = try self.place(of: new)
    if target != nil {
      switch onConflict {
      case .abort: throw StoreError.rowExists(index: table, rowID: new)
      case .ignore: return
      case .replace: break
      }
    }
    try remove(old, at: place, in: &edit)
    if let target {
      try replace(new, at: target, with: row, in: &edit)
    } else {
      try put(new, row, .insertDelta, in: &edit)
    }
    try commit(edit)
  }

  /// Removes a row.
  /// - Returns: false when there is none.
  @discardableResult
  package func delete(rowID: Int64) throws -> Bool {
    var edit = Edit(try refresh(includingDelta: false))
    guard let place = try place(of: rowID) else { return false }
    try remove(rowID, at: place, in: &edit)
    try commit(edit)
    return true
  }

  /// The vector of a row as it was given (under cosine, rows of segments: within float rounding); nil when there is
  /// no such row.
  package func vector(rowID: Int64) throws -> [Float]? {
    try refresh(includingDelta: false)
    guard let place = try place(of: rowID) else { return nil }
    return try vector(rowID, at: place)
  }

  /// There is a row of this id that passes.
  package func contains(rowID: Int64, conditions: [FilterCondition] = []) throws -> Bool {
    try refresh(includingDelta: false)
    guard let place = try place(of: rowID) else { return false }
    if conditions.isEmpty { return true }
    let values = try values(rowID, at: place)
    return conditions.allSatisfy { $0.passes(values[$0.column]) }
  }

  /// The value of a row in a filter column; NULL when there is no such row.
  func value(rowID: Int64, column: Int) throws -> ColumnValue {
    try refresh(includingDelta: false)
    guard let place = try place(of: rowID) else { return .null }
    return try value(rowID, at: place, column: column)
  }

  var nulls: [ColumnValue] { definition.filterColumns.map { _ in .null } }

  /// A row with what is to change in it.
  private func changed(
    _ rowID: Int64, at place: Place, _ vector: [Float]?, _ values: [ColumnValue?]
  ) throws -> StoredRow {
    var row = StoredRow(
      vector: try vector ?? self.vector(rowID, at: place), values: try self.values(rowID, at: place))
    for (i, value) in values.enumerated() {
      if let value { row.values[i] = value }
    }
    return row
  }

  /// Refuses what cannot be indexed.
  func check(_ vector: [Float], rowID: Int64?) throws(StoreError) {
    do throws(VectorError) {
      try validate(vector, dimensions: definition.configuration.dimensions)
    } catch {
      throw .vector(rowID: rowID, error)
    }
  }

  private func nextRowID() throws -> Int64 {
    let highest = try max(highestRowID() ?? 0, 0)
    guard highest < .max else { throw StoreError.rowIDsExhausted(index: table) }
    return highest + 1
  }

  /// Of the rows in segments, dead ones included, and of the delta; nil when there are none.
  func highestRowID() throws -> Int64? {
    var highest: Int64?
    for view in views where view.index.entryCount > 0 {
      let last = try settling { try view.index.sortedRow(view.index.entryCount - 1).rowID }
      highest = max(highest ?? last, last)
    }
    let statement = try tables.statement(.deltaHighest)
    defer { statement.reset() }
    if try statement.step(), !statement.isNull(0) { highest = max(highest ?? .min, statement.int64(0)) }
    return highest
  }
}

// MARK: Where rows are

/// Where a row lives.
enum Place {
  case delta
  case segment(SegmentView, entry: Int)
}

extension IndexStore {
  /// Finds a row in the state last refreshed to; nil when it is not live.
  func place(of rowID: Int64) throws -> Place? {
    for view in views {
      if let entry = try settling({ try view.liveEntry(ofRowID: rowID) }) {
        return .segment(view, entry: entry)
      }
    }
    let statement = try tables.statement(.deltaVector)
    defer { statement.reset() }
    try statement.bind(rowID, at: 1)
    return try statement.step() ? .delta : nil
  }

  func vector(_ rowID: Int64, at place: Place) throws -> [Float] {
    switch place {
    case .segment(let view, let entry):
      return try settling { try view.index.vector(ofEntry: entry) }
    case .delta:
      let statement = try tables.statement(.deltaVector)
      defer { statement.reset() }
      try statement.bind(rowID, at: 1)
      var vector = [Float](repeating: 0, count: definition.configuration.dimensions)
      guard try statement.step(), copyFloats(of: statement, column: 0, to: &vector) else {
        throw StoreError.damagedDelta(index: table, rowID: rowID)
      }
      return vector
    }
  }

  func value(_ rowID: Int64, at place: Place, column: Int) throws -> ColumnValue {
    guard case .segment(let view, let entry) = place else { return try values(rowID, at: place)[column] }
    return try settling { try view.index.value(column: column, entry: entry) }
  }

  /// The values of a row in the filter columns.
  func values(_ rowID: Int64, at place: Place) throws -> [ColumnValue] {
    let count = definition.filterColumns.count
    if count == 0 { return [] }
    switch place {
    case .segment(let view, let entry):
      return try settling { try (0..<count).map { try view.index.value(column: $0, entry: entry) } }
    case .delta:
      let statement = try tables.statement(.deltaValues)
      defer { statement.reset() }
      try statement.bind(rowID, at: 1)
      guard try statement.step() else { throw StoreError.damagedDelta(index: table, rowID: rowID) }
      return statement.columnValues(from: 1, count: count)
    }
  }

  /// Says of which index a segment that fails is.
  func settling<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as SegmentError { throw StoreError.segment(index: table, error) }
  }
}

// MARK: Changing rows

/// What the index keeps of a row.
struct StoredRow {
  var vector: [Float]
  /// One for each filter column.
  var values: [ColumnValue]
}

/// One change of an index in the making: what has been written, and what the caches have yet to learn.
struct Edit {
  let before: Revision
  var after: Revision
  var killed: [(view: SegmentView, entry: Int)] = []
  var removed: [Int64] = []
  var put: (rowID: Int64, row: StoredRow)?

  init(_ before: Revision) {
    self.before = before
    after = before.next()
  }
}

extension IndexStore {
  private func put(_ rowID: Int64, _ row: StoredRow, _ query: ShadowTables.Query, in edit: inout Edit) throws {
    try writeDelta(query, rowID, row, stamp: edit.after.stamp)
    edit.put = (rowID, row)
  }

  func writeDelta(_ query: ShadowTables.Query, _ rowID: Int64, _ row: StoredRow, stamp: Int64) throws(SQLiteError) {
    let statement = try tables.statement(query)
    try statement.bind(rowID, at: 1)
    try statement.bind(stamp, at: 2)
    try statement.bind(floats: row.vector, at: 3)
    for (i, value) in row.values.enumerated() { try statement.bind(value, at: Int32(4 + i)) }
    try statement.run()
  }

  private func remove(_ rowID: Int64, at place: Place, in edit: inout Edit) throws {
    switch place {
    case .delta:
      let statement = try tables.statement(.deleteDelta)
      try statement.bind(rowID, at: 1)
      try statement.run()
      edit.removed.append(rowID)
      edit.after.deltaMark = Revision.random()
    case .segment(let view, let entry):
      try insertTombstone(segment: view.id, entry: entry)
      edit.killed.append((view, entry))
      edit.after.settledMark = Revision.random()
    }
  }

  private func replace(_ rowID: Int64, at place: Place, with row: StoredRow, in edit: inout Edit) throws {
    switch place {
    case .delta:
      try put(rowID, row, .replaceDelta, in: &edit)
    case .segment:
      try remove(rowID, at: place, in: &edit)
      try put(rowID, row, .insertDelta, in: &edit)
    }
  }

  func insertTombstone(segment: Int64, entry: Int) throws(SQLiteError) {
    let statement = try tables.statement(.insertTombstone)
    try statement.bind(segment, at: 1)
    try statement.bind(entry, at: 2)
    try statement.run()
  }

  /// Writes the new revision, and only then changes the caches: an error before leaves them as they were.
  private func commit(_ edit: Edit) throws {
    try write(edit.after)
    if settled?.mark == edit.before.settledMark {
      for (view, entry) in edit.killed { view.kill(entry) }
      settled?.mark = edit.after.settledMark
    }
    guard let loaded = delta, loaded.token == edit.before.token else { return }
    for rowID in edit.removed { loaded.cache.remove(rowID) }
    if let (rowID, row) = edit.put {
      do throws(VectorError) {
        try unsafe loaded.cache.put(rowID, row.vector, row.values)
      } catch {
        throw StoreError.vector(rowID: rowID, error)
      }
    }
    delta?.token = edit.after.token
    delta?.mark = edit.after.deltaMark
    delta?.stamp = edit.after.stamp
    delta?.isUncommitted = true
  }

  /// Tells this index from another one that is made in its place.
  func writeIdentity() throws(SQLiteError) {
    let statement = try tables.statement(.writeConfig)
    try statement.bind("identity", at: 1)
    try statement.bind(Int64.random(in: .min ... .max), at: 2)
    try statement.run()
  }

  /// nil for an index of before there were any.
  func readIdentity() throws(SQLiteError) -> Int64? {
    let statement = try tables.statement(.readConfig)
    defer { statement.reset() }
    try statement.bind("identity", at: 1)
    return try statement.step() ? statement.int64(0) : nil
  }

  /// Stores a revision: every change of the index ends with one.
  func write(_ revision: Revision, isNew: Bool = false) throws(SQLiteError) {
    let statement = try tables.statement(isNew ? .writeConfig : .writeRevision)
    if isNew { try statement.bind("revision", at: 1) }
    try unsafe revision.withBytes { (bytes) throws(SQLiteError) in
      try unsafe statement.bind(blob: bytes, at: isNew ? 2 : 1)
    }
    try statement.run()
  }
}
