/// An aligned table for people: a header, a rule, rows; numbers to the right; cut to a width.
struct TextTable {
  struct Cell: Equatable {
    let text: String
    var isNumber = false
  }

  let header: [String]
  private var rows: [[Cell]] = []

  init(header: [String]) { self.header = header }

  mutating func append(_ row: [Cell]) { rows.append(row) }

  /// - Parameter width: columns of the terminal; nil: nothing is cut.
  func render(width: Int?) -> String {
    let cells = rows.map { $0.map { Cell(text: Self.printable($0.text), isNumber: $0.isNumber) } }
    var widths = header.map(Self.width)
    for row in cells {
      for (column, cell) in row.enumerated() { widths[column] = max(widths[column], Self.width(cell.text)) }
    }
    if let width { widths = Self.fit(widths, into: width) }
    var lines = [
      line(header.map { Cell(text: $0) }, widths), widths.map { Self.times("-", $0) }.joined(separator: "  "),
    ]
    lines += cells.map { line($0, widths) }
    return lines.joined(separator: "\n")
  }

  private func line(_ cells: [Cell], _ widths: [Int]) -> String {
    let padded = zip(cells, widths).map { cell, width in
      let text = Self.cut(cell.text, to: width)
      let space = Self.times(" ", width - Self.width(text))
      return cell.isNumber ? space + text : text + space
    }
    let text = padded.joined(separator: "  ")
    return String(text.reversed().drop { $0 == " " }.reversed())
  }

  /// Narrows the widest columns until the row fits; no column below 8 characters, so a row may stay too wide.
  static func fit(_ widths: [Int], into total: Int) -> [Int] {
    var widths = widths
    var excess = widths.reduce(0, +) + 2 * max(0, widths.count - 1) - total
    while excess > 0, let widest = widths.max(), widest > 8 {
      let columns = widths.indices.filter { widths[$0] == widest }
      let next = max(widths.filter { $0 < widest }.max() ?? 8, 8)
      let step = min(widest - next, (excess + columns.count - 1) / columns.count)
      for column in columns {
        let cut = min(step, max(0, excess))
        widths[column] -= cut
        excess -= cut
      }
    }
    return widths
  }

  static func cut(_ text: String, to width: Int) -> String {
    guard Self.width(text) > width else { return text }
    var result = ""
    var used = 0
    for character in text {
      let size = Self.width(character)
      if used + size > width - 1 { break }
      result.append(character)
      used += size
    }
    return result + "…"
  }

  static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

  /// Columns a terminal gives a character: two for East Asian wide forms and emoji.
  private static func width(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
      0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }

  /// Control characters would move the cursor or worse: each run of them and of spaces becomes one space.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if !isControl(scalar) { result.append(scalar) } else if result.last != " " { result.append(" ") }
    }
    return String(result)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
  }

  private static func times(_ character: Character, _ count: Int) -> String {
    String(repeating: character, count: max(0, count))
  }
}
