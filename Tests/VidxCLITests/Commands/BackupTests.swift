import Foundation
import Testing

/// Backup, restore and rebuild, as users run them.
@Suite struct BackupCommandTests {
  let sandbox: Sandbox
  let sample = Sample(count: 200)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
    try sandbox.succeed(
      "build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl", "--table", "things")
  }

  private func answer(_ database: String) throws -> String {
    try sandbox.succeed("search", database, "--index", "v", "--like", "1", "-k", "5", "--json", "--exact").output
  }

  @Test func backUpLoseRestore() throws {
    let before = try answer("t.db")
    let copied = try sandbox.succeed("backup", "t.db", "copy.db", "--json").objects()[0]
    #expect(copied["copy"] as? String == "copy.db")
    #expect(try #require(copied["bytes"] as? Int) > 50_000)
    for name in ["t.db", "t.db-vidx"] { try FileManager.default.removeItem(atPath: sandbox.file(name)) }
    #expect(try sandbox.succeed("restore", "copy.db", "t.db").output.contains("restored in"))
    #expect(try answer("t.db") == before)
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
  }

  @Test func overwriteNothing() throws {
    for arguments in [["backup", "t.db", "t.db"], ["restore", "t.db", "t.db"]] {
      let outcome = try sandbox.start(arguments).wait()
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("exists already"))
    }
    #expect(try sandbox.start(["backup", "t.db", ":memory:"]).wait().status == 2)
    #expect(try sandbox.start(["backup", "none.db", "copy.db"]).wait().status == 1)
    #expect(!FileManager.default.fileExists(atPath: sandbox.file("copy.db")))
  }

  @Test("A damaged backup is named, and not restored")
  func refuseDamage() throws {
    try sandbox.succeed("backup", "t.db", "copy.db")
    let folder = sandbox.file("copy.db-vidx")
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
    bytes[bytes.count / 2] ^= 4
    try bytes.write(to: URL(fileURLWithPath: folder + "/" + name))
    let outcome = try sandbox.start(["restore", "copy.db", "new.db"]).wait()
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains(name))
    #expect(!FileManager.default.fileExists(atPath: sandbox.file("new.db")))
  }

  @Test("Rebuild repairs an index on a column whose files are lost")
  func rebuild() throws {
    try sandbox.succeed(
      "sql", "t.db",
      "CREATE TABLE notes(id INTEGER PRIMARY KEY, v BLOB); "
        + "INSERT INTO notes VALUES (1, vector('[1,0]')), (2, vector('[0,1]')); "
        + "CREATE VIRTUAL TABLE n USING vidx(dimensions = 2, content = notes, column = v); INSERT INTO n(n) VALUES ('optimize')"
    )
    let folder = sandbox.file("t.db-vidx")
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("n-") {
      try FileManager.default.removeItem(atPath: folder + "/" + name)
    }
    #expect(try sandbox.start(["check", "t.db", "--index", "n"]).wait().status == 1)
    #expect(try sandbox.succeed("rebuild", "t.db", "--index", "n").output.hasPrefix("n: 2 rows made anew in"))
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 2 indexes\n")
  }
}
