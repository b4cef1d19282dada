import Foundation
import Testing
import Vidx

@testable import VidxCLI

@Suite struct JSONWriterTests {
  @Test func writesWhatFoundationReads() throws {
    let texts = ["", "plain", "\"quoted\" \\ \n\r\t\u{0}\u{1F}\u{7F}", "é𝄞漢"]
    var json = JSONWriter()
    json.object { json in
      json.key("texts")
      json.array { json in for text in texts { json.string(text) } }
      json.member("n", -3)
      json.key("x")
      json.number(Float(0.21))
      json.key("tiny")
      json.number(1e-300)
      json.key("nan")
      json.number(Double.nan)
      json.key("blob")
      json.value(.blob([0, 255, 16]))
      json.key("empty")
      json.object { _ in }
    }
    #expect(json.text.hasPrefix("{\"texts\": [\"\", \"plain\", "))
    #expect(json.text.contains("\"x\": 0.21, \"tiny\": 1e-300, \"nan\": null, \"blob\": \"00FF10\", \"empty\": {}}"))
    let object = try JSONSerialization.jsonObject(with: Data(json.text.utf8))
    let read = try #require(object as? [String: Any])
    #expect(read["texts"] as? [String] == texts)
    #expect(read["n"] as? Int == -3)
  }
}

@Suite struct TerminalTests {
  /// Names of somebody's database must not give commands to the terminal.
  @Test func showsNoControlCharacters() {
    #expect(Terminal.visible("plain é𝄞漢\n\ttext") == "plain é𝄞漢\n\ttext")
    #expect(Terminal.visible("\u{1B}]0;title\u{7}\u{9B}2J\r\u{7F}\0") == "?]0;title??2J???")
  }
}

@Suite struct TextTableTests {
  static func table(_ rows: [[String]], width: Int?) -> [String] {
    var table = TextTable(header: ["id", "text"])
    for row in rows { table.append([.init(text: row[0], isNumber: true), .init(text: row[1])]) }
    return table.render(width: width).split(separator: "\n").map(String.init)
  }

  @Test func alignsNumbersRightAndTextLeft() {
    #expect(
      Self.table([["7", "ab"], ["12", "c"]], width: nil) == ["id  text", "--  ----", " 7  ab", "12  c"])
  }

  @Test func cutsToTheWidth() {
    let lines = Self.table([["1", String(repeating: "word ", count: 40)]], width: 30)
    #expect(lines.allSatisfy { $0.count <= 30 })
    #expect(lines[2].hasSuffix("…"))
  }

  @Test func countsWideCharactersTwice() {
    #expect(TextTable.width("漢字") == 4)
    #expect(TextTable.width("é") == 1)
    #expect(TextTable.cut("漢字漢字", to: 5) == "漢字…")
    #expect(TextTable.cut("abc", to: 3) == "abc")
  }

  @Test func disarmsControlCharacters() {
    #expect(TextTable.printable("a\n\n\u{1B}[31mb\u{9B}c") == "a [31mb c")
  }

  @Test func fitsTheWidestColumnFirst() {
    #expect(TextTable.fit([5, 50, 30], into: 60) == [5, 25, 26])
    #expect(TextTable.fit([5, 50, 30], into: 80) == [5, 41, 30])
    #expect(TextTable.fit([5, 6], into: 60) == [5, 6])
    #expect(TextTable.fit([100, 100], into: 4) == [8, 8])
  }
}

@Suite struct ProgressBarTests {
  @Test func showsRateAndRemainingTime() {
    #expect(
      ProgressBar.line(stage: "linking", done: 42_297, total: 84_594, seconds: 4)
        == "linking  [############............]  50 %  42,297 of 84,594  10,574/s  0:04 left")
    #expect(
      ProgressBar.line(stage: "writing", done: 10, total: 10, seconds: 2)
        == "writing  [########################]  100 %  10 of 10  5/s")
    #expect(
      ProgressBar.line(stage: "reading", done: 0, total: 0, seconds: 9)
        == "reading  [........................]  0 %  0 of 0")
  }

  @Test func writesTimesAndNumbers() {
    #expect(ProgressBar.clock(59) == "0:59")
    #expect(ProgressBar.clock(3_725) == "1:02:05")
    #expect([0, 999, 1_000, -1_234_567].map(grouped) == ["0", "999", "1,000", "-1,234,567"])
    #expect([0, 1023, 1536, 15_728_640].map(byteSize) == ["0 B", "1023 B", "1.5 KiB", "15.0 MiB"])
  }
}

@Suite struct SearchOutputTests {
  @Test(arguments: [
    (Float(0), "0.0000"), (0.21, "0.2100"), (12.34567, "12.3457"), (-3.5, "-3.5000"), (0.00004, "0.0000"),
    (-0.5, "-0.5000"), (.infinity, "inf"),
  ]) func roundsDistances(distance: Float, text: String) {
    #expect(SearchOutput.rounded(distance) == text)
  }

  @Test func keepsKeysApart() {
    #expect(
      ColumnNames.distinct(["id", "distance", "id", "name", "id"]) == ["id", "distance", "id_2", "name", "id_3"])
  }
}

@Suite struct ParameterTests {
  @Test func readsValues() throws {
    #expect(try SQLCommand.value("7") == .integer(7))
    #expect(try SQLCommand.value("-1.5e3") == .real(-1500))
    #expect(try SQLCommand.value("nan") == .text("nan"))
    #expect(try SQLCommand.value("") == .text(""))
    #expect(try SQLCommand.value("graphics") == .text("graphics"))
    for bad in ["@q.npy", "@q.npy[", "@q.npy[x]", "@q.npy[]"] {
      let error = try #require(throws: UsageError.self) { try SQLCommand.value(bad) }
      #expect(error.message.contains("@FILE[ROW] expected"))
    }
  }
}
