internal import CSQLite
internal import VidxIndexes

extension VirtualTable {
  /// The values of `xUpdate`: the old row id, the new row id, then the columns.
  typealias UpdateValues = UnsafeMutableBufferPointer<OpaquePointer?>

  /// DELETE, INSERT or UPDATE of one row, or a command.
  /// - Returns: the row id of a new row.
  func update(_ values: UpdateValues) throws -> Int64? {
    let rowID = try unsafe write(values)
    let isCommand = unsafe values.count > 1 && !Self.isNull(.command, of: values)
    try noteChange(isRow: !isCommand)
    return rowID
  }

  private func write(_ values: UpdateValues) throws -> Int64? {
    let old = unsafe values[0]
    if values.count == 1 {
      _ = try store().delete(rowID: unsafe sqlite3_value_int64(old))
      return nil
    }
    if unsafe sqlite3_value_type(old) == SQLITE_NULL { return try unsafe insert(values) }
    try unsafe change(rowID: sqlite3_value_int64(old), values)
    return nil
  }

  private func insert(_ values: UpdateValues) throws -> Int64? {
    if let command = unsafe text(Self.value(.command, of: values)) {
      if try unsafe follow(command, values) { return nil }
      for column in [Column.rowID, .vector, .distance] + Column.settings {
        guard unsafe Self.isNull(column, of: values) else { throw VirtualTableError.commandWithValues }
      }
      guard unsafe filterValues(values).allSatisfy({ $0?.isNull ?? true }) else {
        throw VirtualTableError.commandWithValues
      }
      try run(command)
      return nil
    }
    try unsafe refuseReadOnly(values)
    try unsafe checkModel(values)
    let rowID = unsafe Self.isNull(.rowID, of: values) ? nil : try rowID(values[1])
    return try unsafe store().insertInBulk(
      rowID: rowID, vector: vector(values), values: filterValues(values).map { $0 ?? .null },
      onConflict: conflictPolicy)
  }

  private func change(rowID old: Int64, _ values: UpdateValues) throws {
    guard unsafe Self.isNull(.command, of: values) else { throw VirtualTableError.commandByUpdate(table: name) }
    if unsafe Self.marksUnchanged(values) { try unsafe refuseReadOnly(values) }
    try unsafe checkModel(values)
    let new = try unsafe rowID(values[1])
    let vector = unsafe Self.isUnchanged(Self.value(.vector, of: values)) ? nil : try unsafe vector(values)
    try unsafe store().update(
      rowID: old, to: new, vector: vector, values: filterValues(values), onConflict: conflictPolicy)
  }

  /// One for each filter column; nil where it stays as it is.
  private func filterValues(_ values: UpdateValues) -> [ColumnValue?] {
    filterColumns.indices.map { i in
      let value = unsafe values[Int(Column.firstFilter) + i + 2]
      return unsafe Self.isUnchanged(value) ? nil : unsafe SQLValue.columnValue(value)
    }
  }

  /// What the triggers of a content table tell: see `ContentTable.createReplaceTriggers`.
  /// - Returns: false for any other command.
  private func follow(_ command: String, _ values: UpdateValues) throws -> Bool {
    guard command == ContentTable.replacing || command == ContentTable.replaced,
      unsafe !Self.isNull(.rowID, of: values)
    else { return false }
    let rowID = try unsafe rowID(values[1])
    if command == ContentTable.replaced {
      try store().removeReplaced(by: rowID)
    } else if unsafe sqlite3_vtab_on_conflict(connection.handle) != SQLITE_IGNORE {
      // Under OR IGNORE, which goes for the statements of triggers as well, the new row gives way.
      try store().noteReplacing(rowID: rowID)
    }
    return true
  }

  private func run(_ command: String) throws {
    try store().flush()
    switch command.lowercased() {
    case "optimize": try store().optimize(options: registry.buildOptions())
    case "merge": try merge(store().mergePolicy())
    case "rebuild": try store().rebuild(options: registry.buildOptions())
    case "integrity-check":
      let problems = try store().integrityCheck(deep: true)
      if !problems.isEmpty {
        throw VirtualTableError.damaged(problems: Array(problems.prefix(3)), count: problems.count)
      }
    default:
      if let setting = try SettingCommand(command) {
        let store = try store()
        try store.run(setting)
        return store.unseen.lookAtOnce()
      }
      guard let rows = Self.rowsOfMerge(command) else { throw VirtualTableError.unknownCommand(command) }
      try merge(MergePolicy(deltaRows: rows))
    }
  }

  private func merge(_ policy: MergePolicy) throws {
    try store().mergeSome(policy, options: registry.buildOptions())
  }

  /// `merge = N`: so many new rows are worth it.
  private static func rowsOfMerge(_ command: String) -> Int? {
    let parts = command.split(separator: "=", omittingEmptySubsequences: false).map { String($0).trimmed }
    guard parts.count == 2, parts[0].lowercased() == "merge", let rows = Int(parts[1]), rows > 0 else { return nil }
    return rows
  }

  /// REPLACE is the policy that is ours to follow; SQLite sees to the others when the index refuses.
  private var conflictPolicy: ConflictPolicy {
    unsafe sqlite3_vtab_on_conflict(connection.handle) == SQLITE_REPLACE ? .replace : .abort
  }

  /// Refuses values for columns that are not stored.
  private func refuseReadOnly(_ values: UpdateValues) throws(VirtualTableError) {
    for column in [.distance] + Column.settings where column != .model {
      let value = unsafe Self.value(column, of: values)
      guard unsafe Self.isUnchanged(value) || sqlite3_value_type(value) == SQLITE_NULL else {
        throw .readOnlyColumn(column)
      }
    }
  }

  /// Refuses a vector that is said to be of another model than the index's.
  private func checkModel(_ values: UpdateValues) throws {
    let value = unsafe Self.value(.model, of: values)
    let type = unsafe sqlite3_value_type(value)
    if type == SQLITE_NULL { return }
    guard type == SQLITE_TEXT else { throw VirtualTableError.modelType(SQLValue.typeName(type)) }
    try store().check(model: unsafe text(value))
  }

  /// UPDATE marks the columns it leaves alone. UPDATE ... FROM marks none: it gives back what it read.
  private static func marksUnchanged(_ values: UpdateValues) -> Bool {
    unsafe values.dropFirst(2).contains { unsafe isUnchanged($0) }
  }

  private static func isUnchanged(_ value: OpaquePointer?) -> Bool { unsafe sqlite3_value_nochange(value) != 0 }

  private func vector(_ values: UpdateValues) throws(VirtualTableError) -> [Float] {
    let vector: [Float]?
    do throws(VectorLiteralError) {
      vector = try unsafe SQLValue.vector(Self.value(.vector, of: values))
    } catch {
      throw .vector(error)
    }
    guard let vector else { throw .missingVector }
    return vector
  }

  private func rowID(_ value: OpaquePointer?) throws(VirtualTableError) -> Int64 {
    let type = unsafe sqlite3_value_numeric_type(value)
    if type == SQLITE_INTEGER { return unsafe sqlite3_value_int64(value) }
    if type == SQLITE_FLOAT, let exact = Int64(exactly: unsafe sqlite3_value_double(value)) { return exact }
    throw .rowIDType(SQLValue.typeName(type))
  }

  private func text(_ value: OpaquePointer?) -> String? {
    guard unsafe sqlite3_value_type(value) != SQLITE_NULL else { return nil }
    return unsafe String(decoding: SQLValue.text(value), as: UTF8.self)
  }

  private static func value(_ column: Column, of values: UpdateValues) -> OpaquePointer? {
    unsafe values[Int(column.rawValue) + 2]
  }

  private static func isNull(_ column: Column, of values: UpdateValues) -> Bool {
    unsafe sqlite3_value_type(value(column, of: values)) == SQLITE_NULL
  }
}
