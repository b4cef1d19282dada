import Foundation
import Testing

@testable import VidxSegments

@Suite("docs/FORMAT.md")
struct FormatDocumentTests {
  /// The cells of all tables, in order.
  private let rows: [[String]]

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("docs/FORMAT.md"), encoding: .utf8)
    rows = text.split(separator: "\n").filter { $0.hasPrefix("|") }.map { line in
      line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  private struct Field: Equatable {
    var offset: Int
    var size: Int
    var name: String
  }

  /// Rows of the table with the five columns of the header, from `first` to `last`.
  private func fields(from first: String, to last: String) throws -> [Field] {
    let fields = rows.compactMap { row -> Field? in
      guard row.count == 5, let offset = Int(row[0]), let size = Int(row[1]) else { return nil }
      return Field(offset: offset, size: size, name: row[3])
    }
    let start = try #require(fields.firstIndex { $0.name == first })
    let end = try #require(fields[start...].firstIndex { $0.name == last })
    return Array(fields[start...end])
  }

  private func expectGapless(_ fields: [Field], byteCount: Int) {
    var end = 0
    for field in fields {
      #expect(field.offset == end, "\(field.name)")
      end = field.offset + field.size
    }
    #expect(end == byteCount)
  }

  @Test("The header page is the one in the code, and every byte of it has a line")
  func header() throws {
    let fields = try fields(from: "magic", to: "checksum")
    expectGapless(fields, byteCount: HeaderLayout.byteCount)
    let expected = [
      ("magic", HeaderLayout.magicOffset), ("version", HeaderLayout.versionOffset),
      ("headerLength", HeaderLayout.headerLengthOffset), ("identifier", HeaderLayout.identifierOffset),
      ("indexKind", HeaderLayout.indexKindOffset), ("metric", HeaderLayout.metricOffset),
      ("codec", HeaderLayout.codecOffset), ("dimensions", HeaderLayout.dimensionsOffset),
      ("vectorCount", HeaderLayout.vectorCountOffset), ("entryCount", HeaderLayout.entryCountOffset),
      ("fileLength", HeaderLayout.fileLengthOffset), ("sectionCount", HeaderLayout.sectionCountOffset),
      ("blockSize", HeaderLayout.blockSizeOffset), ("reserved", HeaderLayout.reservedOffset),
      ("sectionTable", HeaderLayout.tableOffset),
      ("reserved", HeaderLayout.tableOffset + HeaderLayout.maximumSectionCount * HeaderLayout.tableEntryByteCount),
      ("checksum", HeaderLayout.checksumOffset),
    ]
    #expect(fields.map(\.name) == expected.map(\.0))
    #expect(fields.map(\.offset) == expected.map(\.1))
  }

  @Test("So is a line of the section table")
  func sectionTable() throws {
    let fields = try fields(from: "kind", to: "checksumsOffset")
    expectGapless(fields, byteCount: HeaderLayout.tableEntryByteCount)
    let expected = [
      HeaderLayout.entryKindOffset, HeaderLayout.entryChecksumOffset, HeaderLayout.entryOffsetOffset,
      HeaderLayout.entryLengthOffset, HeaderLayout.entryChecksumsOffsetOffset,
    ]
    #expect(fields.map(\.offset) == expected)
  }

  @Test("Every section kind is listed with its code")
  func sections() throws {
    let start = try #require(rows.firstIndex { $0.first == "code" })
    let listed = rows[(start + 2)...].prefix { Int($0[0]) != nil && $0.count == 5 }.map { "\($0[0]) \($0[1])" }
    #expect(listed == SectionKind.allCases.map { "\($0.rawValue) \($0)" })
  }
}
