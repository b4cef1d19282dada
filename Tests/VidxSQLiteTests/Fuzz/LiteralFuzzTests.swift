import CSQLite
import TestSupport
import Testing
import VidxIndexes
import VidxVectors

@testable import VidxSQLite

/// What stands in the brackets of CREATE VIRTUAL TABLE, and vectors: each text is understood or refused with an error
/// of its own kind, and what is understood is within all limits.
@Suite struct LiteralFuzzTests {
  // MARK: Arguments

  private static let words = Mutation([
    "dimensions", "metric", "index", "hnsw", "filter", "partition", "content", "column", "codec", "=", ",", " ", "'",
    "\"", "`", "[", "]", "''", "\"\"", "(", ")", ";", "--", "/*", "*/", "0", "-1", "16000", "9223372036854775808",
    "1e3", "0x10", "rowid", "vector", "\n",
  ])

  private func define(_ text: String) throws {
    do throws(IndexArgumentError) {
      let made = try IndexArguments.definition(of: text.split(separator: ",").map(String.init))
      #expect(IndexLimits.dimensions.contains(made.configuration.dimensions))
      #expect(IndexLimits.m.contains(made.configuration.m) && IndexLimits.lists.contains(made.configuration.lists))
      #expect(made.filterColumns.count <= IndexLimits.filterColumns)
      #expect((made.content == nil) == (made.column == nil))
    } catch {
      #expect(!"\(error)".isEmpty)
    }
  }

  private func make(_ text: String, _ session: SQLSession) throws -> Bool {
    do {
      // The first statement only, whatever the text makes of it.
      try session.connection.prepare("CREATE VIRTUAL TABLE made USING vidx(\(text))").run()
    } catch { return false }
    #expect(try session.integers("SELECT count(*) FROM made") == [0])
    try session.run("DROP TABLE made")
    return true
  }

  @Test func argumentsAreReadOrRefused() throws {
    let corpus = try Corpus.texts("arguments.txt")
    let session = try SQLSession()
    try session.run("CREATE TABLE messages(id INTEGER PRIMARY KEY, embedding BLOB, author TEXT)")
    for text in corpus { try define(String(decoding: text, as: UTF8.self)) }
    var made = 0
    for text in corpus where try make(String(decoding: text, as: UTF8.self), session) { made += 1 }
    #expect(made >= 5)
    var random = SplitMix(seed: FuzzCases.seed(1))
    for number in 0..<FuzzCases.count(3_000) {
      let text = String(decoding: Self.words.text(of: corpus, &random), as: UTF8.self)
      try FuzzCases.note("arguments: \(text)")
      try define(text)
      if number % 4 == 0 { _ = try make(text, session) }
    }
    #expect(try session.column("SELECT count(*) FROM sqlite_master") == [1], "something was left behind")
  }

  // MARK: Vectors

  private static let numbers = Mutation([
    "[", "]", ",", " ", "-", "+", ".", "e", "E", "0", "1", "9", "00", "NaN", "null", "Infinity", "1e999", "1e-999",
    "\"", "{", "}", "\n", "0.1", "3.4028235e38", "1e38", "\\", "//", "0x1",
  ])

  /// What SQL makes of it is what the reader makes of it, and both are what JSON is.
  private func read(_ text: [UInt8], _ statement: Statement) throws -> Bool {
    let read = unsafe text.withUnsafeBufferPointer { bytes in
      Result { () throws(VectorLiteralError) in unsafe try VectorLiteral.parse(utf8: bytes) }
    }
    try statement.bind(utf8: text, at: 1)
    defer { statement.reset() }
    guard case .success(let vector) = read else {
      #expect(throws: SQLiteError.self) { try statement.step() }
      return false
    }
    #expect((1...VectorLayout.maxDimensions).contains(vector.count) && vector.allSatisfy(\.isFinite))
    #expect(try statement.step())
    #expect(unsafe statement.withBytes(0) { unsafe [UInt8]($0) } == VectorLiteral.blob(of: vector))
    let again = try VectorLiteral.parse(VectorLiteral.text(of: vector))
    #expect(again.map(\.bitPattern) == vector.map(\.bitPattern))
    // SQLite's reader of JSON ends at a zero byte.
    if !text.contains(0) { #expect(statement.int64(1) == 1 && statement.int64(2) == Int64(vector.count)) }
    return true
  }

  @Test func vectorsAreReadOrRefused() throws {
    let corpus = try Corpus.texts("vectors.txt")
    let session = try SQLSession()
    let statement = try session.connection.prepare("SELECT vector(?1), json_valid(?1), json_array_length(?1)")
    var sound = 0
    for text in corpus where try read(text, statement) { sound += 1 }
    #expect(sound >= 6)
    var random = SplitMix(seed: FuzzCases.seed(2))
    for _ in 0..<FuzzCases.count(6_000) {
      let text = Self.numbers.text(of: corpus, &random)
      try FuzzCases.note("vector: \(String(decoding: text, as: UTF8.self))")
      _ = try read(text, statement)
    }
  }

  @Test func blobsAreReadOrRefused() throws {
    let session = try SQLSession()
    let statement = try session.connection.prepare("SELECT vector(?1), vector_dims(?1), l2_distance(?1, ?1)")
    var random = SplitMix(seed: FuzzCases.seed(3))
    let patterns: [UInt32] = [0, 1, 0x8000_0000, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F7F_FFFF, 0x0080_0000, .max]
    for _ in 0..<FuzzCases.count(2_000) {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        let bits = patterns.randomElement(using: &random) ?? UInt32(truncatingIfNeeded: random.next())
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0)) }
      }
      bytes.removeLast(min(bytes.count, Int.random(in: 0..<3, using: &random)))
      let read = unsafe bytes.withUnsafeBytes { raw in
        Result { () throws(VectorLiteralError) in unsafe try VectorLiteral.decode(raw) }
      }
      unsafe try bytes.withUnsafeBytes { unsafe try statement.bind(blob: $0, at: 1) }
      defer { statement.reset() }
      guard case .success(let vector) = read else {
        #expect(throws: SQLiteError.self) { try statement.step() }
        continue
      }
      #expect(try statement.step() && statement.int64(1) == Int64(vector.count) && statement.double(2) == 0)
    }
  }

  /// Texts that are longer than any vector's end where they stop to be one.
  @Test func longTextsEndEarly() throws {
    for (text, error) in [
      ("[" + String(repeating: "1,", count: 2_000_000), VectorLiteralError.tooManyDimensions(count: nil)),
      ("[" + String(repeating: " ", count: 8_000_000), .unexpectedEnd(expected: "a number")),
      (String(repeating: "[", count: 8_000_000), .unexpected(byte: 2, expected: "a number")),
    ] {
      #expect(throws: error) { try VectorLiteral.parse(text) }
    }
    let one = "[" + String(repeating: "9", count: 2_000_000) + "e-2000000]"
    #expect(try VectorLiteral.parse(one).count == 1)
  }
}
