import Testing

@testable import VidxSQLite

@Suite("Virtual tables in a text") struct VirtualTablesTests {
  @Test("Names with quotation marks are found, views that are not named are not asked")
  func names() throws {
    let session = try SQLSession()
    try session.run(
      """
      CREATE VIRTUAL TABLE "we""ird" USING vidx(dimensions = 1);
      CREATE VIRTUAL TABLE words USING fts5(t);
      CREATE VIEW sizes AS SELECT pageno FROM dbstat;
      CREATE VIEW outer_view AS SELECT rowid FROM words
      """)
    let each = "SELECT value FROM json_each('[1]')"
    for (text, modules) in [
      ("\(each), \"we\"\"ird\"", ["json_each", "vidx"]), ("\(each), words", ["json_each", "fts5"]),
      ("\(each), outer_view", ["json_each", "fts5"]), (each, ["json_each"]),
    ] {
      let tables = try VirtualTables(namedIn: text, session.connection)
      #expect(tables.modules == Set(modules) && tables.refused == nil, "\(text)")
    }
    #expect(try VirtualTables(namedIn: "SELECT * FROM sizes", session.connection).refused == "dbstat")
    #expect(try VirtualTables(namedIn: "SELECT 1", session.connection).refused != nil)
  }
}
