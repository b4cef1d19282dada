import VidxIndexes
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
  /// - Returns: the row id.
  /// - Throws: `StoreError.vector`, `.rowExists`, `.rowIDsExhausted`; `SQLiteError`.
  @discardableResult
  package func insert(rowID: Int64?, vector: [Float], onConflict: ConflictPolicy = .abort) throws -> Int64 {
    try check(vector, rowID: rowID)
    var edit = Edit(try refresh(includingDelta: false))
    let id = try rowID ?? nextRowID()
    let place = try rowID == nil ? nil : place(of: id)
    if let place {
      switch onConflict {
      case .abort: throw StoreError.rowExists(index: table, rowID: id)
      case .ignore: return id
      case .replace: try replace(id, at: place, with: vector, in: &edit)
      }
    } else {
      try put(id, vector, .insertDelta, in: &edit)
    }
    try commit(edit)
    return id
  }

  /// Changes the row id or the vector of a row, or both.
  /// - Parameter vector: nil to keep it.
  /// - Throws: `StoreError.noRow`, `.vector`, `.rowExists` when the new row id is taken; `SQLiteError`.
  package func update(
    rowID old: Int64, to new: Int64, vector: [Float]? = nil, onConflict: ConflictPolicy = .abort
  ) throws {
    if let vector { try check(vector, rowID: new) }
    var edit = Edit(try refresh(includingDelta: false))
    guard let place = try place(of: old) else { throw StoreError.noRow(index: table, rowID: old) }
    if old == new {
      guard let vector else { return }
      try replace(old, at: place, with: vector, in: &edit)
      return try commit(edit)
    }
    let vector = try vector ?? self.vector(old, at: place)
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
      try replace(new, at: target, with: vector, in: &edit)
    } else {
      try put(new, vector, .insertDelta, in: &edit)
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

  /// There is a row of this id.
  package func contains(rowID: Int64) throws -> Bool {
    try refresh(includingDelta: false)
    return try place(of: rowID) != nil
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
    var highest: Int64 = 0
    for view in views where view.index.entryCount > 0 {
      highest = max(highest, try settling { try view.index.sortedRow(view.index.entryCount - 1).rowID })
    }
    let statement = try tables.statement(.deltaHighest)
    defer { statement.reset() }
    if try statement.step() { highest = max(highest, statement.int64(0)) }
    guard highest < .max else { throw StoreError.rowIDsExhausted(index: table) }
    return highest + 1
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

  /// Says of which index a segment that fails is.
  func settling<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as SegmentError { throw StoreError.segment(index: table, error) }
  }
}

// MARK: Changing rows

/// One change of an index in the making: what has been written, and what the caches have yet to learn.
struct Edit {
  let before: Revision
  var after: Revision
  var killed: [(view: SegmentView, entry: Int)] = []
  var removed: [Int64] = []
  var put: (rowID: Int64, vector: [Float])?

  init(_ before: Revision) {
    self.before = before
    after = before.next()
  }
}

extension IndexStore {
  private func put(_ rowID: Int64, _ vector: [Float], _ query: ShadowTables.Query, in edit: inout Edit) throws {
    try writeDelta(query, rowID, vector, stamp: edit.after.stamp)
    edit.put = (rowID, vector)
  }

  func writeDelta(_ query: ShadowTables.Query, _ rowID: Int64, _ vector: [Float], stamp: Int64) throws(SQLiteError) {
    let statement = try tables.statement(query)
    try statement.bind(rowID, at: 1)
    try statement.bind(stamp, at: 2)
    try statement.bind(floats: vector, at: 3)
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

  private func replace(_ rowID: Int64, at place: Place, with vector: [Float], in edit: inout Edit) throws {
    switch place {
    case .delta:
      try put(rowID, vector, .replaceDelta, in: &edit)
    case .segment:
      try remove(rowID, at: place, in: &edit)
      try put(rowID, vector, .insertDelta, in: &edit)
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
    if let (rowID, vector) = edit.put {
      do throws(VectorError) {
        try unsafe loaded.cache.put(rowID, vector)
      } catch {
        throw StoreError.vector(rowID: rowID, error)
      }
    }
    delta?.token = edit.after.token
    delta?.mark = edit.after.deltaMark
    delta?.stamp = edit.after.stamp
    delta?.isUncommitted = true
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
