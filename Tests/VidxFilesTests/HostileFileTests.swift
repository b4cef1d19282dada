import Foundation
import TestSupport
import Testing

@testable import VidxFiles

/// Files that somebody broke on purpose: each is read or refused with a `FileError`, none ends the process.
@Suite struct HostileFileTests {
  /// What readers look at closely, and numbers at the ends of their types.
  private static let pieces: [[UInt8]] =
    [
      "(", ")", "{", "}", "[", "]", ",", ":", "'", "\"", "\"\"", "\\", "\\u", "\\ud800", "\r\n", "\n", "\t", "-", ".",
      "e", "1e999", "-0", "NaN", "null", "true", "999999999999999999999", "9223372036854775807", "-9223372036854775808",
      "(0,)", "(1, 99999999999)", "18446744073709551615", "[[]]", "\u{FEFF}", "é", "id", "vector", "<f8", "|u1", ">f4",
    ].map { Array($0.utf8) } + [
      [0], [0xFF], [0x80], [0xC0, 0xAF], [0xFF, 0xFF, 0xFF, 0x7F], [0, 0, 0, 0x80], [0, 0, 0, 0],
    ]

  private static func mutated(_ bytes: [UInt8], _ chance: inout SplitMix) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &chance) {
      let place = Int.random(in: 0...bytes.count, using: &chance)
      let piece = pieces[Int.random(in: 0..<pieces.count, using: &chance)]
      switch Int.random(in: 0..<5, using: &chance) {
      case 0: bytes.insert(contentsOf: piece, at: place)
      case 1: bytes.replaceSubrange(place..<min(bytes.count, place + piece.count), with: piece)
      case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &chance)))
      case 3: bytes.removeLast(bytes.count - place)
      default: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &chance) }
      }
    }
    return bytes
  }

  private static func npy(_ type: String, _ shape: String, _ data: [UInt8]) -> [UInt8] {
    NPYBytes.make(header: NPYBytes.header(type, shape), data: data)
  }

  private static let floats = (0..<24).map { Float($0) / 7 }

  /// Names and sound contents.
  static let samples: [(name: String, bytes: [UInt8])] = [
    ("a.npy", npy("<f4", "(6, 4)", NPYBytes.floats(floats))),
    ("half.npy", npy("<f2", "(3, 4)", [UInt8](repeating: 0x3C, count: 24))),
    (
      "b.fvecs",
      (0..<6).flatMap { NPYBytes.littleEndian(Int32(4)) + NPYBytes.floats(Array(floats[$0 * 4..<$0 * 4 + 4])) }
    ),
    ("c.bvecs", (0..<6).flatMap { NPYBytes.littleEndian(Int32(4)) + [UInt8($0), 2, 3, 4] }),
    (
      "d.jsonl",
      Array(
        (0..<6).map {
          "{\"id\": \($0), \"vector\": [1.5, -2e-3, \($0), 4], \"text\": \"a\\u00e9 \\\"b\\\"\", \"n\": null}\n"
        }
        .joined().utf8)
    ),
    ("e.csv", Array("id,text,score\r\n1,\"a \"\"quoted\"\" one\",1.5\r\n2,\"two\nlines\",\r\n3,plain,-7e3\r\n".utf8)),
  ]

  /// Reads all there is. The result is what the file says, and not more than its bytes can hold.
  private static func read(_ path: String, byteCount: Int) throws {
    if path.hasSuffix(".csv") {
      let file = try CSVRows(path: path)
      _ = try file.rows()
      return
    }
    let file = try VectorFormat.open(path)
    #expect(file.count >= 1 && file.dimensions >= 1)
    #expect(file.count * file.dimensions <= byteCount, "\(file.count) x \(file.dimensions)")
    _ = try file.block(0..<file.count)
    if path.hasSuffix(".jsonl") { _ = try JSONLinesRows(path: path).rows() }
  }

  @Test(arguments: samples.indices)
  func readsOrRefuses(sample: Int) throws {
    let (name, sound) = Self.samples[sample]
    let directory = try TemporaryDirectory()
    try Self.read(directory.file(name, sound), byteCount: sound.count)
    var chance = SplitMix(seed: FuzzCases.seed(UInt64(sample) + 1))
    var refused = 0
    let count = FuzzCases.count(2_000)
    for number in 0..<count {
      let bytes = Self.mutated(sound, &chance)
      try FuzzCases.note("\(name), case \(number): \(bytes)")
      do {
        try Self.read(directory.file(name, bytes), byteCount: bytes.count)
      } catch is FileError {
        refused += 1
      }
    }
    #expect(refused > count / 4 && refused < count)
  }

  /// Files that were trouble once, or might be: those of `Corpus`, by their names' ends.
  @Test func corpus() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false)).sorted()
    #expect(names.count >= 10)
    for name in names {
      let path = folder.appending(path: name).path(percentEncoded: false)
      let count = try Data(contentsOf: URL(filePath: path)).count
      #expect(throws: FileError.self, "\(name)") { try Self.read(path, byteCount: count) }
    }
  }

  // MARK: What would take memory without bound

  @Test func vectorsAreOfNoMoreDimensionsThanAnyIndexHas() throws {
    let directory = try TemporaryDirectory()
    let count = VectorFormat.maximumDimensions + 1
    for (name, bytes) in [
      ("a.npy", Self.npy("<f4", "(1, \(count))", [UInt8](repeating: 0, count: 4 * count))),
      ("b.fvecs", NPYBytes.littleEndian(Int32(count)) + [UInt8](repeating: 0, count: 4 * count)),
      ("c.bvecs", NPYBytes.littleEndian(Int32(count)) + [UInt8](repeating: 0, count: count)),
      ("d.jsonl", Array("{\"vector\": [\(repeatElement("0", count: count).joined(separator: ","))]}".utf8)),
    ] {
      let path = try directory.file(name, bytes)
      let error = try fileError { _ = try VectorFormat.open(path) }
      #expect(error.reason == .tooManyDimensions(count, limit: VectorFormat.maximumDimensions), "\(error)")
    }
  }

  @Test func aLineOfCommasAndOneOfColumns() throws {
    let directory = try TemporaryDirectory()
    let commas = try directory.file("a.csv", [UInt8](repeating: UInt8(ascii: ","), count: 20_000_000))
    #expect(
      try fileError { _ = try CSVRows(path: commas) }.reason == .tooManyColumns(limit: CSVRecords.mostFields))
    let names = (0..<ColumnSurvey.mostColumns + 1).map { "c\($0)" }
    let header = try directory.file("b.csv", names.joined(separator: ",") + "\n")
    let limit = FileError.Reason.tooManyColumns(limit: ColumnSurvey.mostColumns)
    #expect(try fileError { _ = try CSVRows(path: header) }.reason == limit)
    let object = "{\(names.map { "\"\($0)\": 1" }.joined(separator: ","))}\n"
    let lines = try directory.file("c.jsonl", object)
    #expect(try fileError { _ = try JSONLinesRows(path: lines) }.reason == limit)
  }

  /// Opening one waits for somebody who writes, which may be never.
  @Test func aFIFOIsNotWaitedFor() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/a.npy"
    try #require(unsafe mkfifo(path, 0o600) == 0)
    let error = try fileError { _ = try VectorFormat.open(path) }
    #expect(error.reason == .system(operation: "read at any offset", errno: ESPIPE))
  }
}
