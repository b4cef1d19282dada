import CSQLite
import Testing
import VidxSQLite

/// INSERT, UPDATE, DELETE, transactions and commands.
@Suite struct ChangesTests {
  private func session(onDisk: Bool = false) throws -> SQLSession {
    let session = try SQLSession(onDisk: onDisk)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try session.run("INSERT INTO v(rowid, vector) VALUES (1, '[1,0]'), (2, '[2,0]'), (3, '[3,0]')")
    return session
  }

  /// What the table holds, by a scan and by a search: both must tell the same.
  private func contents(_ session: SQLSession, sourceLocation: SourceLocation = #_sourceLocation) throws -> [Int64:
    String]
  {
    let read = "SELECT rowid, vector_text(vector) FROM v"
    func table(_ sql: String) throws -> [Int64: String] {
      var result: [Int64: String] = [:]
      for row in try session.rows(sql) {
        guard case .integer(let id) = row[0], case .text(let vector) = row[1] else { continue }
        #expect(result.updateValue(vector, forKey: id) == nil, "row \(id) twice", sourceLocation: sourceLocation)
      }
      return result
    }
    let scanned = try table(read)
    #expect(try table("\(read) WHERE vector MATCH '[0,0]' AND k = 1000") == scanned, sourceLocation: sourceLocation)
    #expect(try table("\(read) WHERE vector MATCH '[0,0]'") == scanned, sourceLocation: sourceLocation)
    return scanned
  }

  private static let initial: [Int64: String] = [1: "[1,0]", 2: "[2,0]", 3: "[3,0]"]

  // MARK: Rows

  @Test func insertsWithAndWithoutRowID() throws {
    let session = try session()
    try session.run("INSERT INTO v(vector) VALUES ('[4,0]')")
    #expect(session.connection.lastInsertRowID == 4)
    try session.run("INSERT INTO v(rowid, vector) VALUES (100, x'0000a04000000000')")
    #expect(session.connection.lastInsertRowID == 100)
    try session.run("INSERT INTO v VALUES ('[6,0]')")
    #expect(session.connection.lastInsertRowID == 101)
    try session.run(
      "INSERT INTO v(rowid, vector) SELECT 200 + rowid, vector_add(vector, '[0,1]') FROM v WHERE rowid < 3")
    _ = try session.rows("INSERT INTO v(rowid, vector) VALUES (-7, ?)", .vector([0.5, -0.5]))
    #expect(
      try contents(session)
        == Self.initial.merging(
          [4: "[4,0]", 100: "[5,0]", 101: "[6,0]", 201: "[1,1]", 202: "[2,1]", -7: "[0.5,-0.5]"]) { $1 })
  }

  @Test func updatesVectorsAndRowIDs() throws {
    let session = try session()
    try session.run("UPDATE v SET vector = '[9,9]' WHERE rowid = 1")
    #expect(session.connection.changes == 1)
    try session.run("UPDATE v SET rowid = 20 WHERE rowid = 2")
    try session.run("UPDATE v SET rowid = rowid + 30, vector = '[8,8]' WHERE rowid = 3")
    try session.run("UPDATE v SET vector = '[7,7]' WHERE rowid = 999")
    #expect(session.connection.changes == 0)
    #expect(try contents(session) == [1: "[9,9]", 20: "[2,0]", 33: "[8,8]"])
    try session.run("UPDATE v SET vector = vector_add(vector, '[1,1]')")
    #expect(session.connection.changes == 3)
    #expect(try contents(session) == [1: "[10,10]", 20: "[3,1]", 33: "[9,9]"])
  }

  @Test func changesWhatASearchFinds() throws {
    let session = try session()
    try session.run("UPDATE v SET vector = '[5,5]' WHERE vector MATCH '[1.2,0]' AND k = 2")
    #expect(try contents(session) == [1: "[5,5]", 2: "[5,5]", 3: "[3,0]"])
    try session.run("DELETE FROM v WHERE vector MATCH '[5,5]' AND distance < 1")
    #expect(try contents(session) == [3: "[3,0]"])
    try session.run("DELETE FROM v")
    #expect(try contents(session) == [:])
    // After the highest row id is gone, its number is free again, as in tables without AUTOINCREMENT.
    try session.run("INSERT INTO v(vector) VALUES ('[1,1]')")
    #expect(session.connection.lastInsertRowID == 1)
  }

  @Test func updatesFromAnotherTable() throws {
    let session = try session()
    try session.run("CREATE TABLE n(id INTEGER PRIMARY KEY, vector)")
    try session.run("INSERT INTO n VALUES (1, '[7,1]'), (3, '[7,3]')")
    try session.run("UPDATE v SET vector = n.vector FROM n WHERE n.id = v.rowid")
    #expect(try contents(session) == [1: "[7,1]", 2: "[2,0]", 3: "[7,3]"])
    try session.run(
      "UPDATE v SET vector = n.vector FROM n WHERE n.id = 1 AND v.vector MATCH '[2,0]' AND v.k = 1")
    #expect(try contents(session) == [1: "[7,1]", 2: "[7,1]", 3: "[7,3]"])
  }

  // MARK: Conflicts

  @Test(arguments: [
    ("INSERT", false), ("INSERT OR ABORT", false), ("INSERT OR FAIL", false), ("INSERT OR ROLLBACK", false),
    ("INSERT OR IGNORE", true), ("INSERT OR REPLACE", true), ("REPLACE", true),
  ])
  func followsTheConflictClause(_ verb: String, succeeds: Bool) throws {
    let session = try session()
    let sql = "\(verb) INTO v(rowid, vector) VALUES (10, '[10,0]'), (2, '[0,2]'), (11, '[11,0]')"
    try session.run("BEGIN")
    try session.run("INSERT INTO v(rowid, vector) VALUES (5, '[5,0]')")
    var expected = Self.initial.merging([5: "[5,0]"]) { $1 }
    if succeeds {
      try session.run(sql)
      expected.merge([10: "[10,0]", 11: "[11,0]"]) { $1 }
      if verb.hasSuffix("REPLACE") { expected[2] = "[0,2]" }
    } else {
      let error = try session.error(sql)
      #expect(error.code == SQLITE_CONSTRAINT)
      #expect(error.message.contains("has a row 2 already"), "\(error.message)")
      // FAIL keeps what the statement did before, ROLLBACK undoes the transaction.
      if verb.hasSuffix("FAIL") { expected[10] = "[10,0]" }
      if verb.hasSuffix("ROLLBACK") { expected = Self.initial }
    }
    #expect(try contents(session) == expected)
    #expect(session.connection.isAutocommit == verb.hasSuffix("ROLLBACK"))
    if !session.connection.isAutocommit { try session.run("COMMIT") }
    #expect(try contents(session) == expected)
  }

  @Test func updateOfARowIDFollowsTheConflictClause() throws {
    let session = try session()
    #expect(try session.error("UPDATE v SET rowid = 2 WHERE rowid = 1").code == SQLITE_CONSTRAINT)
    try session.run("UPDATE OR IGNORE v SET rowid = 2 WHERE rowid = 1")
    #expect(try contents(session) == Self.initial)
    try session.run("UPDATE OR REPLACE v SET rowid = 2 WHERE rowid = 1")
    #expect(try contents(session) == [2: "[1,0]", 3: "[3,0]"])
  }

  /// SQLite itself refuses it: the upsert of a virtual table is INSERT OR REPLACE.
  @Test func thereIsNoOnConflictDoUpdate() throws {
    let error = try session().error(
      "INSERT INTO v(rowid, vector) VALUES (1, '[1,1]') ON CONFLICT DO UPDATE SET vector = excluded.vector")
    #expect(error.message.contains("UPSERT not implemented for virtual table"), "\(error.message)")
  }

  // MARK: Refusals

  @Test(arguments: [
    ("INSERT INTO v(rowid, vector) VALUES (9, '[1,2,3]')", "row 9: expected 2 dimensions, not 3"),
    ("INSERT INTO v(vector) VALUES ('[1]')", "expected 2 dimensions, not 1"),
    ("INSERT INTO v(vector) VALUES (x'000000')", "a vector BLOB holds 32-bit floats"),
    ("INSERT INTO v(vector) VALUES ('[1,NaN]')", "component 1"),
    ("INSERT INTO v(vector) VALUES (x'0000807f00000000')", "component 0"),
    ("INSERT INTO v(vector) VALUES (NULL)", "the vector is NULL"),
    ("INSERT INTO v(rowid) VALUES (9)", "the vector is NULL"),
    ("INSERT INTO v(vector) VALUES (7)", "not INTEGER"),
    ("INSERT INTO v(rowid, vector) VALUES ('x', '[1,2]')", "datatype mismatch"),
    ("INSERT INTO v(rowid, vector) VALUES (1.5, '[1,2]')", "datatype mismatch"),
    ("INSERT INTO v(vector, distance) VALUES ('[1,2]', 3)", "distance is not stored"),
    ("INSERT INTO v(vector, k) VALUES ('[1,2]', 3)", "k is not stored"),
    ("UPDATE v SET vector = '[1]' WHERE rowid = 1", "row 1: expected 2 dimensions, not 1"),
    ("UPDATE v SET vector = NULL WHERE rowid = 1", "DELETE the row"),
    ("UPDATE v SET rowid = NULL WHERE rowid = 1", "rowid must be an INTEGER, not NULL"),
    ("UPDATE v SET distance = 0 WHERE rowid = 1", "distance is not stored"),
    ("UPDATE v SET v = 'optimize' WHERE rowid = 1", "a command is given by INSERT"),
    ("INSERT INTO v(v) VALUES ('optimise')", "did you mean 'optimize'?"),
    ("INSERT INTO v(v) VALUES ('vacuum')", "known are merge, optimize, rebuild, integrity-check, merge_after = N"),
    ("INSERT INTO v(v) VALUES ('merge = 0')", "unknown command 'merge = 0'"),
    ("INSERT INTO v(v) VALUES ('optimize = 5')", "unknown command 'optimize = 5'"),
    ("INSERT INTO v(v, rowid) VALUES ('optimize', 1)", "a command stands alone"),
    ("INSERT INTO v(v, vector) VALUES ('optimize', '[1,2]')", "a command stands alone"),
  ])
  func refusesAndChangesNothing(_ sql: String, message: String) throws {
    let session = try session()
    let error = try session.error(sql)
    #expect(error.message.contains(message), "\(error.message)")
    #expect(try contents(session) == Self.initial)
  }

  @Test func aStatementThatFailsHalfwayChangesNothing() throws {
    let session = try session()
    _ = try session.error("INSERT INTO v(rowid, vector) VALUES (10, '[1,1]'), (11, '[1,1]'), (12, '[1]')")
    #expect(try contents(session) == Self.initial)
    _ = try session.error("UPDATE v SET vector = iif(rowid = 3, '[1]', '[9,9]')")
    #expect(try contents(session) == Self.initial)
  }

  // MARK: Transactions

  @Test(arguments: [false, true])
  func transactionsAndSavepoints(_ onDisk: Bool) throws {
    let session = try session(onDisk: onDisk)
    if onDisk { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
    try session.run("BEGIN")
    try session.run("DELETE FROM v WHERE rowid = 1; INSERT INTO v(rowid, vector) VALUES (4, '[4,0]')")
    #expect(try contents(session) == [2: "[2,0]", 3: "[3,0]", 4: "[4,0]"])
    try session.run("SAVEPOINT a; UPDATE v SET vector = '[9,9]' WHERE rowid = 2; SAVEPOINT b; DELETE FROM v")
    #expect(try contents(session) == [:])
    try session.run("ROLLBACK TO b")
    #expect(try contents(session) == [2: "[9,9]", 3: "[3,0]", 4: "[4,0]"])
    try session.run("RELEASE b; ROLLBACK TO a")
    #expect(try contents(session) == [2: "[2,0]", 3: "[3,0]", 4: "[4,0]"])
    try session.run("INSERT INTO v(rowid, vector) VALUES (1, '[1,1]'); RELEASE a")
    #expect(try contents(session) == [1: "[1,1]", 2: "[2,0]", 3: "[3,0]", 4: "[4,0]"])
    try session.run("ROLLBACK")
    #expect(try contents(session) == Self.initial)
    try session.run("SAVEPOINT a; DELETE FROM v WHERE rowid = 3; RELEASE a")
    #expect(try contents(session) == [1: "[1,0]", 2: "[2,0]"])
  }

  @Test func vectorsAndRowsCommitTogether() throws {
    let session = try session(onDisk: true)
    let path = try #require(session.path)
    let other = try SQLSession.connect(path)
    try session.run("CREATE TABLE t(id INTEGER PRIMARY KEY)")
    try session.run("BEGIN; INSERT INTO t VALUES (9); INSERT INTO v(rowid, vector) VALUES (9, '[9,9]')")
    let count = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM v WHERE vector MATCH '[9,9]' AND distance = 0)"
    #expect(try SQLSession.rows(other, count) == [[0, 0]])
    #expect(try session.rows(count) == [[1, 1]])
    try session.run("COMMIT")
    #expect(try SQLSession.rows(other, count) == [[1, 1]])
  }

  // MARK: Changes while a query runs

  @Test(
    arguments: [
      "SELECT rowid FROM v", "SELECT rowid FROM v WHERE vector MATCH '[0,0]' ORDER BY distance",
      "SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 100",
      "SELECT rowid, vector FROM v WHERE rowid IN (1, 2, 3)",
    ], [false, true])
  func deletingWhileReading(_ sql: String, isSettled: Bool) throws {
    let session = try session(onDisk: true)
    for i in 4...50 { try session.run("INSERT INTO v(rowid, vector) VALUES (\(i), '[\(i),0]')") }
    if isSettled { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
    let statement = try session.connection.prepare(sql)
    var seen: [Int64] = []
    while try statement.step() {
      let id = statement.int64(0)
      seen.append(id)
      try session.run("DELETE FROM v WHERE rowid = \(id)")
      try session.run("INSERT INTO v(rowid, vector) VALUES (\(id + 1_000), '[0,\(id)]')")
    }
    statement.finalize()
    #expect(Set(seen).count == seen.count, "a row came twice")
    let expected = (1...(sql.contains("IN") ? 3 : 50)).map(Int64.init)
    #expect(Set(seen).isSuperset(of: expected))
    let left = try contents(session)
    #expect(left.count == 50)
    #expect(seen.allSatisfy { left[$0] == nil })
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
  }

  @Test func insertFromItself() throws {
    let session = try session()
    try session.run("INSERT INTO v(rowid, vector) SELECT rowid + 100, vector FROM v")
    try session.run("INSERT INTO v(rowid, vector) SELECT rowid + 1000, vector FROM v WHERE vector MATCH '[0,0]'")
    #expect(try contents(session).count == 12)
  }

  // MARK: Commands

  @Test(arguments: ["flat", "hnsw", "ivfflat"])
  func commandsKeepTheRows(_ kind: String) throws {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = \(kind))")
    for i in 1...40 { try session.run("INSERT INTO v(rowid, vector) VALUES (\(i), '[\(i),0]')") }
    for command in ["optimize", "integrity-check", "OPTIMIZE", "rebuild", "integrity-check"] {
      try session.run("DELETE FROM v WHERE rowid = (SELECT max(rowid) FROM v)")
      let before = try contents(session)
      try session.run("INSERT INTO v(v) VALUES ('\(command)')")
      #expect(try contents(session) == before, "\(command)")
    }
    try session.run("BEGIN; DELETE FROM v WHERE rowid < 10; INSERT INTO v(v) VALUES ('optimize'); ROLLBACK")
    #expect(try contents(session).count == 35)
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
  }

  @Test func integrityCheckReportsDamage() throws {
    let session = try session(onDisk: true)
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    try session.run("UPDATE v_segments SET entries = entries + 1")
    let error = try session.error("INSERT INTO v(v) VALUES ('integrity-check')")
    #expect(error.code == SQLITE_CORRUPT)
    #expect(error.message.hasPrefix("vidx table v: "), "\(error.message)")
  }
}
