import Testing

@testable import VidxFiles

@Suite struct CSVTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func readsQuotesAndTypes() throws {
    let path = try directory.file(
      "a.csv",
      "\u{FEFF}id,name,size,zip,empty\r\n1,\"a, \"\"b\"\"\nc\",1.5,007,\r\n-2,,3,\"12\",\"\"\r\n")
    let file = try CSVRows(path: path)
    #expect(
      file.columns == [
        Column(name: "id", type: .integer), Column(name: "name", type: .text), Column(name: "size", type: .real),
        Column(name: "zip", type: .text), Column(name: "empty", type: .text),
      ])
    #expect(file.count == 2)
    #expect(
      try file.rows() == [
        [.integer(1), .text("a, \"b\"\nc"), .real(1.5), .text("007"), .null],
        [.integer(-2), .null, .real(3), .text("12"), .text("")],
      ])
    var reader = try file.makeReader()
    _ = try reader.next()
    #expect(reader.line == 2)
    _ = try reader.next()
    #expect(reader.line == 4)
  }

  @Test func leavesColumnsOutAndEndsWithoutNewline() throws {
    let path = try directory.file("b.csv", "a,b,c\n1,2,3\n4,5,\"6\"")
    let file = try CSVRows(path: path, excluding: ["b"])
    #expect(file.columns.map(\.name) == ["a", "c"])
    #expect(try file.rows() == [[.integer(1), .integer(3)], [.integer(4), .integer(6)]])
  }

  @Test func readsAcrossBuffers() throws {
    let rows = 20_000
    let text = "id,text\n" + (0..<rows).map { "\($0),\"row\n\($0)\"\n" }.joined()
    let file = try CSVRows(path: try directory.file("long.csv", text))
    #expect(file.count == rows)
    #expect(try file.rows().last == [.integer(Int64(rows - 1)), .text("row\n\(rows - 1)")])
  }

  @Test func acceptsEmptyLinesAtTheEndOnly() throws {
    let good = try directory.file("end.csv", "a,b\n1,2\n\n\n")
    #expect(try CSVRows(path: good).count == 1)
    let bad = try directory.file("middle.csv", "a,b\n1,2\n\n3,4\n")
    #expect(
      try fileError { _ = try CSVRows(path: bad) } == FileError(path: bad, place: .line(3), reason: .blankLine))
  }

  @Test(arguments: [
    ("", FileError.Place.file, FileError.Reason.empty),
    ("a,b\n", .file, .empty),
    ("a,b\n1,2\n3\n", .line(3), .fieldCount(expected: 2, actual: 1)),
    ("a,b\n1,2,3\n", .line(2), .fieldCount(expected: 2, actual: 3)),
    ("a,b\n1,\"2\n3,4\n", .line(2), .unterminatedQuote),
    ("a,b\n1,\"2\"x\n", .line(2), .textAfterQuote),
    ("a,b\n1,2\"x\"\n", .line(2), .quoteInsideField),
    ("a,a\n1,2\n", .line(1), .repeatedColumn("a", "a")),
    ("a,A\n1,2\n", .line(1), .repeatedColumn("a", "A")),
    ("a,\n1,2\n", .line(1), .unnamedColumn(position: 2)),
  ]) func refuses(text: String, place: FileError.Place, reason: FileError.Reason) throws {
    let path = try directory.file("bad.csv", text)
    let error = try fileError { _ = try CSVRows(path: path) }
    #expect(error == FileError(path: path, place: place, reason: reason))
    #expect(error.message.contains("; "), "no remedy: \(error.message)")
  }

  @Test func refusesOtherEncodings() throws {
    let path = try directory.file("latin1.csv", Array("a\nb\n".utf8) + [0xE9, 0x0A])
    #expect(
      try fileError { _ = try CSVRows(path: path) } == FileError(path: path, place: .line(3), reason: .notUTF8))
  }

  @Test func toldApartByName() throws {
    let csv = try directory.file("x.csv", "a\n1\n")
    #expect(try RowFormat.open(csv).count == 1)
    let error = try fileError { _ = try RowFormat.open("rows.xlsx") }
    #expect(error.reason == .unknownFormat(supported: [".jsonl", ".csv"]))
    #expect(error.message.contains("use a name that ends in .jsonl, .csv"))
    let vectors = try fileError { _ = try VectorFormat.open("v.parquet") }
    #expect(vectors.reason == .unknownFormat(supported: [".npy", ".fvecs", ".bvecs", ".jsonl"]))
  }
}
