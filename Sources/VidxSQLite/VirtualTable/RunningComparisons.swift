internal import CSQLite

/// How the statement that runs compares the columns of a table.
///
/// SQLite makes a text of a number that is compared with a TEXT column, unless the number comes from a column or a CAST
/// with a type of its own: then it makes numbers of the column's texts, or nothing of either
/// (https://www.sqlite.org/datatype3.html, section 4.2). It does not tell a virtual table which. But the program that
/// it has made of the statement says it: there, each comparison has the affinity that is applied
/// (https://www.sqlite.org/opcode.html). Where no such program is found, nothing is known.
final class RunningComparisons {
  private let table: VirtualTable
  /// By column; nil before anybody has asked.
  private var found: [Int32: Set<ColumnAffinity?>]?

  /// For one run of a statement: of one cursor.
  init(_ table: VirtualTable) { self.table = table }

  /// What is applied wherever a filter column is compared: `text` to numbers, `numeric` to its texts, or `none`.
  /// - Returns: nil when that is not known, or not the same everywhere.
  /// - Complexity: the first time that of compiling the statement, some 50 us.
  func affinity(of column: Int) -> ColumnAffinity? {
    let affinities = all()[Column.firstFilter + Int32(column)] ?? []
    return affinities.count == 1 ? affinities.first ?? nil : nil
  }

  private func all() -> [Int32: Set<ColumnAffinity?>] {
    if let found { return found }
    var read: [Int32: Set<ColumnAffinity?>] = [:]
    // Several statements may be at the table; which of them asks is not known.
    for sql in runningTexts() {
      // Nothing is known then, as without a program: SQLite checks each row again.
      guard let sql, let program = try? table.connection.prepare("EXPLAIN " + sql),
        (try? Self.add(program, of: table.address, to: &read)) != nil
      else {
        read = [:]
        break
      }
    }
    found = read
    return read
  }

  /// Of all statements that are running; nil for one that has none.
  private func runningTexts() -> [String?] {
    let database = unsafe table.connection.handle
    var texts: [String?] = []
    var next = unsafe sqlite3_next_stmt(database, nil)
    while let statement = unsafe next {
      if unsafe sqlite3_stmt_busy(statement) != 0, unsafe sqlite3_stmt_isexplain(statement) == 0 {
        texts.append(unsafe sqlite3_sql(statement).map { unsafe String(cString: $0) })
      }
      unsafe next = sqlite3_next_stmt(database, statement)
    }
    return texts
  }

  /// - Parameter program: rows of addr, opcode, p1, p2, p3, p4, p5.
  private static func add(
    _ program: Statement, of address: UInt, to found: inout [Int32: Set<ColumnAffinity?>]
  ) throws(SQLiteError) {
    /// Of the table, and registers with a column of it.
    var cursors: Set<Int64> = []
    var columns: [Int64: Int32] = [:]
    while try program.step() {
      // A trigger's program comes after the statement's, with cursors and registers of its own.
      if program.int64(0) == 0 { (cursors, columns) = ([], [:]) }
      let (p1, p2, p3) = (program.int64(2), program.int64(3), program.int64(4))
      switch program.text(1) {
      case "VOpen":
        if let text = program.text(5), text.hasPrefix("vtab:"), UInt(text.dropFirst(5), radix: 16) == address {
          cursors.insert(p1)
        }
      case "VColumn": columns[p3] = cursors.contains(p1) ? Int32(truncatingIfNeeded: p2) : nil
      case "Column": columns[p3] = nil
      // Of `IN (SELECT rowid ...)`: it makes a number of its register.
      case "SeekRowid", "NotExists":
        if let column = columns[p3] { found[column, default: []].insert(.numeric) }
      case "Eq", "Ne", "Lt", "Le", "Gt", "Ge":
        // Without any it is no comparison of the statement, but a look for NULLs.
        let code = program.type(6) == .integer ? program.int64(6) & affinityMask : -1
        if code == 0 { continue }
        let affinity = affinity(ofCode: code)
        for register in [p1, p3] {
          if let column = columns[register] { found[column, default: []].insert(affinity) }
        }
      case "Affinity":
        for (i, code) in (program.text(5) ?? "").utf8.enumerated() {
          guard let column = columns[p1 + Int64(i)] else { continue }
          found[column, default: []].insert(affinity(ofCode: Int64(code)))
        }
      default: break
      }
    }
  }

  /// SQLITE_AFF_MASK.
  private static let affinityMask: Int64 = 0x47

  /// SQLITE_AFF_BLOB, _TEXT, _NUMERIC, _INTEGER and _REAL; nil for what is none.
  private static func affinity(ofCode code: Int64) -> ColumnAffinity? {
    switch code {
    case 0x41: ColumnAffinity.none
    case 0x42: .text
    case 0x43, 0x44, 0x45: .numeric
    default: nil
    }
  }
}
