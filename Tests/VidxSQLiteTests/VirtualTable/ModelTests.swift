import Testing

@testable import VidxSQLite

/// An index that names its embedding model takes vectors and queries of no other, whatever their dimensions.
@Suite struct ModelTests {
  private static let named = "vidx index v is of model 'bge-small', not of 'bge-base'"
  private static let unnamed = "vidx index v names no model, so it is not known whether its vectors are of 'bge-base'"

  /// Rows 1 and 2, one of them in a segment.
  private func session(model: String? = "'bge-small'") throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    let option = model.map { ", model = \($0)" } ?? ""
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2\(option))")
    try session.run("INSERT INTO v(rowid, vector) VALUES (1, '[1,0]'); INSERT INTO v(v) VALUES ('optimize')")
    try session.run("INSERT INTO v(rowid, vector) VALUES (2, '[2,0]')")
    return session
  }

  private func contents(_ session: SQLSession) throws -> [[SQLCell]] {
    try session.rows("SELECT rowid, vector_text(vector) FROM v")
  }

  @Test func isKeptAndTold() throws {
    let session = try session()
    #expect(try session.column("SELECT model FROM v") == ["bge-small", "bge-small"])
    let other = try SQLSession.connect(try #require(session.path))
    #expect(try SQLSession.rows(other, "SELECT DISTINCT model FROM v WHERE rowid IN (1, 2)") == [["bge-small"]])
    #expect(try IndexStore.open(other).definition.model == "bge-small")
    #expect(try IndexReader(path: #require(session.path), name: "v").snapshot().model == "bge-small")
    // A hidden column: not of SELECT *.
    #expect(try session.rows("SELECT * FROM v WHERE rowid = 2").map(\.count) == [1])
    try session.run("ALTER TABLE v RENAME TO w")
    #expect(try session.column("SELECT model FROM w WHERE rowid = 1") == ["bge-small"])
    #expect(try session.error("INSERT INTO w(vector, model) VALUES ('[1,1]', 'x')").message.contains("'bge-small'"))
    let none = try self.session(model: nil)
    #expect(try none.column("SELECT model FROM v") == [nil, nil])
  }

  /// A vidx of before there were models would take any vector.
  @Test func isForNewerVersionsOnly() throws {
    for (option, version) in [("", 1), (", filter f", 2), (", model = m", 3), (", model = m, filter f", 3)]
      as [(_, Int64)]
    {
      let session = try SQLSession(onDisk: true)
      try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2\(option))")
      #expect(try session.integers("SELECT value FROM v_config WHERE key = 'version'") == [version])
      let other = try SQLSession.connect(try #require(session.path))
      try other.execute("INSERT INTO v(vector) VALUES ('[1,2]')")
      #expect(try session.integers("SELECT count(*) FROM v") == [1])
    }
  }

  @Test(arguments: [
    "INSERT INTO v(rowid, vector, model) VALUES (3, '[3,0]', 'bge-base')",
    "INSERT INTO v(vector, model) VALUES ('[3,0]', 'bge-small'), ('[4,0]', 'bge-base')",
    "INSERT OR REPLACE INTO v(rowid, vector, model) VALUES (1, '[3,0]', 'bge-base')",
    "INSERT OR IGNORE INTO v(rowid, vector, model) VALUES (3, '[3,0]', 'bge-base')",
    "UPDATE v SET vector = '[3,0]', model = 'bge-base' WHERE rowid = 1",
    "UPDATE OR IGNORE v SET vector = '[3,0]', model = 'bge-base'",
    "UPDATE v SET vector = '[3,0]', model = m.name FROM (SELECT 'bge-base' AS name) m WHERE v.rowid = 2",
    // Also where the vector would be refused for what it is.
    "INSERT INTO v(rowid, vector, model) VALUES (3, '[1,2,3]', 'bge-base')",
  ]) func refusesVectorsOfAnother(_ sql: String) throws {
    for model in ["'bge-small'", nil] {
      let session = try session(model: model)
      let before = try contents(session)
      let sql = model == nil ? sql.replacing("'bge-small'", with: "NULL") : sql
      let error = try session.error(sql)
      #expect(error.message.hasPrefix(model == nil ? Self.unnamed : Self.named), "\(error.message)")
      #expect(error.message.contains("vidx reindex --model 'bge-base'"))
      #expect(try contents(session) == before)
    }
  }

  @Test func takesVectorsOfItsOwnAndOfWhomNobodyNames() throws {
    let session = try session()
    try session.run("INSERT INTO v(rowid, vector, model) VALUES (3, '[3,0]', 'bge-small'), (4, '[4,0]', NULL)")
    try session.run("INSERT INTO v(rowid, vector) VALUES (5, '[5,0]')")
    try session.run("UPDATE v SET vector = '[9,0]', model = 'bge-small' WHERE rowid = 1")
    try session.run("UPDATE v SET vector = '[8,0]' WHERE rowid = 2; UPDATE v SET model = NULL WHERE rowid = 2")
    // Gives back what it has read, the model included.
    try session.run("UPDATE v SET vector = '[7,0]' FROM (SELECT 3 AS id) o WHERE v.rowid = o.id")
    #expect(
      try contents(session) == [[1, "[9,0]"], [2, "[8,0]"], [3, "[7,0]"], [4, "[4,0]"], [5, "[5,0]"]])
    #expect(
      try session.error("INSERT INTO v(vector, model) VALUES ('[1,1]', 3)").message.contains("model must be TEXT"))
    #expect(try session.error("INSERT INTO v(v, model) VALUES ('optimize', 'bge-small')").message.contains("alone"))
    // Names are compared as they are.
    #expect(
      try session.error("INSERT INTO v(vector, model) VALUES ('[1,1]', 'BGE-small')").message.contains("'BGE-small'"))
  }

  @Test(arguments: [
    "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND model = ?",
    "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND ? = model AND exact = 1",
    "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND model = ? ORDER BY distance LIMIT 1",
    "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND model = ? AND filter = 'rowid < 9'",
    "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND after_distance = 0 AND after_rowid = 0 AND model = ?",
    "SELECT v.rowid FROM (SELECT '[1,0]' AS q, ? AS name) m JOIN v ON vector MATCH m.q AND k = 1 AND model = m.name",
    "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND model IN (?)",
  ]) func searchesNameTheModel(_ sql: String) throws {
    let session = try session()
    #expect(try session.integers(sql, "bge-small") == [1])
    let error = try session.error(sql, "bge-base")
    #expect(error.message.hasPrefix(Self.named), "\(error.message)")
    // The statement as such is sound.
    #expect(try session.integers(sql, "bge-small") == [1])
    let none = try self.session(model: nil)
    #expect(try none.error(sql, "bge-base").message.hasPrefix(Self.unnamed))
    // NULL names none, as with every setting; compared with a value of another table it is equal to nothing.
    if !sql.contains("JOIN"), !sql.contains("IN (") { #expect(try session.integers(sql, nil) == [1]) }
  }

  @Test func aModelIsAskedEvenWhereNothingIsSearched() throws {
    let session = try session()
    for sql in [
      "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 0 AND model = 'bge-base'",
      "SELECT rowid FROM v WHERE vector MATCH NULL AND k = 1 AND model = 'bge-base'",
      "SELECT rowid FROM v WHERE vector MATCH '[1,2,3]' AND k = 1 AND model = 'bge-base'",
      "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND rowid IN (99) AND model = 'bge-base'",
    ] {
      #expect(try session.error(sql).message.hasPrefix(Self.named), "\(sql)")
    }
    for (sql, words) in [
      ("SELECT rowid FROM v WHERE model = 'bge-small'", "add vector MATCH"),
      ("SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND model LIKE 'bge%'", "write model = '<name>'"),
      ("SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 1 AND model = 3", "model must be TEXT, not INTEGER"),
    ] {
      #expect(try session.error(sql).message.contains(words), "\(sql)")
    }
    #expect(try session.integers("SELECT rowid FROM v WHERE model IS NOT NULL ORDER BY rowid") == [1, 2])
  }

  /// Triggers name no model: the table's column says nothing of it.
  @Test func tablesThatAreFollowedAreNotAsked() throws {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE TABLE t(id INTEGER PRIMARY KEY, e BLOB); INSERT INTO t VALUES (1, vector('[1,0]'))")
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, content = t, column = e, model = m)")
    try session.run("INSERT INTO t VALUES (2, vector('[0,1]')); UPDATE t SET e = vector('[1,1]') WHERE id = 1")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0,1]' AND k = 2 AND model = 'm'") == [2, 1])
    #expect(
      try session.error("SELECT rowid FROM v WHERE vector MATCH '[0,1]' AND k = 2 AND model = 'n'").message.contains(
        "'m'"))
  }

  @Test func aColumnCannotTakeTheName() throws {
    let session = try SQLSession()
    let error = try session.error("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, filter model)")
    #expect(error.message.contains("filter column 'model': the table has a column of this name already"))
  }
}
