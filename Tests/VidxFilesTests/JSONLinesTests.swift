import Testing

@testable import VidxFiles

@Suite struct JSONLinesVectorsTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func readsAField() throws {
    let path = try directory.file(
      "a.jsonl",
      "{\"id\": 1, \"vector\": [1, 2.5], \"x\": {\"vector\": 3}}\r\n{\"vector\":[-3e0,4],\"id\":2}\n\n")
    let file = try JSONLinesVectors(path: path, field: "vector")
    #expect(file.count == 2)
    #expect(file.dimensions == 2)
    #expect(try file.block(0..<2) == [1, 2.5, -3, 4])
    #expect(try file.block(0..<1) == [1, 2.5])
  }

  @Test func readsBlocksInAnyOrder() throws {
    let rows = 3000
    let text = (0..<rows).map { "{\"v\":[\($0),\($0 * 2)]}" }.joined(separator: "\n")
    let file = try JSONLinesVectors(path: try directory.file("m.jsonl", text), field: "v")
    #expect(file.count == rows)
    for range in [0..<10, 2990..<3000, 5..<7, 1024..<1026, 1023..<1025, 1026..<1027, 2500..<2501, 0..<3000] {
      #expect(try file.block(range) == range.flatMap { [Float($0), Float($0 * 2)] })
    }
  }

  struct Bad: Sendable, CustomTestStringConvertible {
    let text: String
    let line: Int
    let reason: FileError.Reason
    let words: String
    var testDescription: String { text }
  }

  static let all: [Bad] = [
    Bad(
      text: "{\"v\":[1,2]}\n{\"w\":[1,2],\"n\":1}\n{\"v\":[3,4]}", line: 2,
      reason: .missingField(name: "v", present: ["w", "n"]), words: "line 2: no field \"v\"; the object has w, n"),
    Bad(text: "{}", line: 1, reason: .missingField(name: "v", present: []), words: "no fields"),
    Bad(
      text: "{\"v\":[1,2]}\n{\"v\":null}", line: 2, reason: .notAVector(field: "v", found: "null"),
      words: "\"v\" is null"),
    Bad(
      text: "{\"v\":[1,2]}\n{\"v\":[1,null]}", line: 2,
      reason: .notANumber(field: "v", index: 1, found: "null"), words: "element 1 of field \"v\" is null"),
    Bad(text: "{\"v\":\"[1,2]\"}", line: 1, reason: .notAVector(field: "v", found: "a string"), words: "a string"),
    Bad(text: "{\"v\":[]}", line: 1, reason: .notAVector(field: "v", found: "an empty array"), words: "empty"),
    Bad(
      text: "{\"v\":[1,2]}\n{\"v\":[1,2,3]}", line: 2, reason: .dimensions(expected: 2, actual: 3),
      words: "line 2: 3 dimensions, 2"),
    Bad(
      text: "{\"v\":[1,2]}\n{\"v\":[1,NaN]}", line: 2, reason: .json(JSONError(reason: .number, offset: 8)),
      words: "NaN and Infinity are not JSON"),
    Bad(text: "{\"v\":[1,1e39]}", line: 1, reason: .notFinite(index: 1), words: "element 1"),
    Bad(text: "{\"v\":[1],\"v\":[2]}", line: 1, reason: .repeatedField("v"), words: "twice"),
    Bad(text: "[1,2]", line: 1, reason: .notAnObject(found: "an array"), words: "an array where an object"),
    Bad(text: "{\"v\":[1]}\n\n{\"v\":[2]}", line: 2, reason: .blankLine, words: "line 2: an empty line"),
    Bad(
      text: "{\"v\":[1]}{\"v\":[1]}", line: 1, reason: .json(JSONError(reason: .trailing, offset: 9)),
      words: "after the end"),
    Bad(
      text: "{\"v\":[1]}\n{\"v\":[1", line: 2,
      reason: .json(JSONError(reason: .expected("\",\" or \"]\""), offset: 7)), words: "expected"),
  ]

  @Test(arguments: all) func refuses(_ bad: Bad) throws {
    let path = try directory.file("bad.jsonl", bad.text)
    let error = try fileError {
      let file = try JSONLinesVectors(path: path, field: "v")
      _ = try file.block(0..<file.count)
    }
    #expect(error == FileError(path: path, place: .line(bad.line), reason: bad.reason))
    #expect(error.message.contains(bad.words), "\(error.message)")
  }

  @Test func refusesAnEmptyFile() throws {
    for text in ["", "\n", "  \n\n"] {
      let path = try directory.file("0.jsonl", text)
      #expect(try fileError { _ = try JSONLinesVectors(path: path, field: "v") }.reason == .empty)
    }
  }
}

@Suite struct JSONLinesRowsTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func infersColumns() throws {
    let path = try directory.file(
      "a.jsonl",
      """
      \u{FEFF}{"id": 1, "score": 1, "name": "é\\n", "ok": true, "mixed": 1, "tags": ["a", {"b": 1}], "none": null}
      {"score": 2.5, "id": 2, "mixed": "two", "extra": 12345678901234567168, "ok": null}
      """)
    let file = try JSONLinesRows(path: path)
    #expect(file.count == 2)
    #expect(
      file.columns == [
        Column(name: "id", type: .integer), Column(name: "score", type: .real), Column(name: "name", type: .text),
        Column(name: "ok", type: .integer), Column(name: "mixed", type: .text), Column(name: "tags", type: .text),
        Column(name: "none", type: .text), Column(name: "extra", type: .real),
      ])
    #expect(
      try file.rows() == [
        [
          .integer(1), .real(1), .text("é\n"), .integer(1), .text("1"), .text("[\"a\", {\"b\": 1}]"), .null, .null,
        ],
        [.integer(2), .real(2.5), .null, .null, .text("two"), .null, .null, .real(12345678901234567168)],
      ])
  }

  @Test func leavesFieldsOut() throws {
    let path = try directory.file("x.jsonl", "{\"id\":1,\"vector\":[1,2]}")
    let file = try JSONLinesRows(path: path, excluding: ["vector"])
    #expect(file.columns == [Column(name: "id", type: .integer)])
    #expect(try file.rows() == [[.integer(1)]])
    let nothing = try fileError { _ = try JSONLinesRows(path: path, excluding: ["vector", "id"]) }
    #expect(nothing.reason == .noColumns)
  }

  @Test func keepsIntegersExactly() throws {
    let path = try directory.file("i.jsonl", "{\"a\":9223372036854775807}\n{\"a\":-9223372036854775808}")
    #expect(try JSONLinesRows(path: path).rows() == [[.integer(.max)], [.integer(.min)]])
  }

  @Test(arguments: [
    ("{\"a\":1}\n{\"a\":}", 2, FileError.Reason.json(JSONError(reason: .expected("a value"), offset: 5))),
    ("{\"a\":1}\n7", 2, .notAnObject(found: "a number")),
    ("{\"a\":1,\"A\":2}", 1, .repeatedColumn("a", "A")),
    ("{\"\":1}", 1, .unnamedColumn(position: 1)),
    ("{\"a\":1}\n \n{\"a\":1}", 2, .blankLine),
  ]) func refuses(text: String, line: Int, reason: FileError.Reason) throws {
    let path = try directory.file("bad.jsonl", text)
    let error = try fileError { _ = try JSONLinesRows(path: path) }
    #expect(error == FileError(path: path, place: .line(line), reason: reason))
  }

  @Test func refusesARepeatedField() throws {
    let path = try directory.file("twice.jsonl", "{\"a\":1,\"a\":2}")
    let error = try fileError { _ = try JSONLinesRows(path: path).rows() }
    #expect(error == FileError(path: path, place: .line(1), reason: .repeatedField("a")))
  }
}
