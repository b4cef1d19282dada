import Foundation
import Testing
import Vidx

/// The examples of the documentation, run. `examplesAreThese` holds them against the comments they stand in.
@Suite struct DocumentationExamples {
  enum VidxExampleError: Error { case changedMyMind }

  @Test func examplesRun() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("notes.db")
    let database = try await VectorDatabase(path: path)
    try await database.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT, stars INTEGER)")
    let index = try await database.createIndex(
      "note_vectors", options: IndexOptions(dimensions: 3, metric: .cosine, rowTable: "notes"))

    try await database.transaction { transaction in
      try transaction.execute("INSERT INTO notes VALUES (1, 'a heron', 5), (2, 'a tractor', 2)")
      try transaction.insert([0.9, 0.1, 0.2], id: 1, into: "note_vectors")
      try transaction.insert([0.1, 0.8, 0.3], id: 2, into: "note_vectors")
    }

    let result = try await index.search(near: [1, 0, 0], k: 1, where: "stars >= 4")
    print(result.hits[0].id, result.hits[0].distance, result.isExact)
    #expect(result.hits.map(\.id) == [1])

    let rows = try await database.query(
      """
      SELECT n.text, v.distance FROM note_vectors v JOIN notes n ON n.id = v.rowid
      WHERE v.vector MATCH ? AND n.stars >= ? ORDER BY v.distance LIMIT 5
      """, [.vector([1, 0, 0]), 4])
    for row in rows { print(row["text"] ?? .null, row["distance"] ?? .null) }
    #expect(rows.map { $0["text"] } == [.text("a heron")])

    do {
      try await database.transaction { transaction in
        try transaction.execute("UPDATE notes SET stars = 0 WHERE id = 2")
        try transaction.delete(id: 2, from: "note_vectors")
        throw VidxExampleError.changedMyMind
      }
    } catch { print("row 2 and its vector are as they were") }
    #expect(try await database.query("SELECT stars FROM notes WHERE id = 2")[0]["stars"] == 2)

    let nearest = try await index.search(near: [1, 0, 0], k: 2)
    let good = try await index.search(near: [1, 0, 0], k: 2, where: "stars >= ?", [4])
    let close = try await index.search(near: [1, 0, 0], k: 2, settings: SearchSettings(within: 0.5))
    print(nearest.hits.count, good.hits.count, close.hits.count)
    #expect([nearest, good, close].map { $0.hits.map(\.id) } == [[1, 2], [1], [1]])

    let ids = try await database.snapshot { snapshot in
      var settings = SearchSettings(after: .start)
      var ids: [Int64] = []
      while true {
        let page = try snapshot.search("note_vectors", near: [1, 0, 0], k: 1, settings: settings).hits
        guard let last = page.last else { return ids }
        ids += page.map(\.id)
        settings.after = last.cursor
      }
    }
    print(ids)
    #expect(ids == [1, 2])

    let id = try await index.insert([0.3, 0.3, 0.9])
    try await index.upsert([0.3, 0.4, 0.8], id: id)
    let wasThere = try await index.delete(id: id)
    print(id, wasThere)
    #expect(id == 3 && wasThere)
  }

  @Test func examplesOfModelsRun() async throws {
    let directory = try TemporaryDirectory()
    let database = try await VectorDatabase(path: directory.file("notes.db"))
    let index = try await database.createIndex("note_vectors", options: IndexOptions(dimensions: 3))
    for id in [1, 2] as [Int64] { try await index.insert([1, 2, Float(id)], id: id) }

    try await index.reindex(IndexChanges(model: "small-v1"))
    let vectors: [Int64: [Float]] = [1: [0.2, 0.9], 2: [0.7, 0.1]]
    let count = try await index.reindex(IndexChanges(model: "tiny-v2"), vectors: .rows(vectors))
    print(count, try await index.summary().options.dimensions)
    #expect(
      try await index.search(near: [1, 0], k: 1, settings: SearchSettings(model: "tiny-v2")).hits.map(\.id) == [2])
  }

  /// Every example in a comment of the library occurs in the test above, line by line.
  @Test func examplesAreThese() throws {
    let tests = URL(fileURLWithPath: #filePath)
    let here = Self.lines(try String(contentsOf: tests, encoding: .utf8))
    let sources = tests.deletingLastPathComponent().appendingPathComponent("../../Sources/Vidx").standardized
    var examples = 0
    for file in try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil) {
      var example: [String]?
      for line in Self.lines(try String(contentsOf: file, encoding: .utf8)) {
        if line == "/// ```swift" {
          example = []
        } else if line == "/// ```", let lines = example {
          examples += 1
          let isHere = here.indices.contains { here[$0...].starts(with: lines) }
          #expect(isHere, "an example of \(file.lastPathComponent) is not tested:\n\(lines.joined(separator: "\n"))")
          example = nil
        } else {
          let text = line.drop { $0 == "/" }
          example?.append(text.trimmingCharacters(in: .whitespaces))
        }
      }
    }
    #expect(examples >= 5)
  }

  private static func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: true).map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && $0 != "///" }
  }
}
