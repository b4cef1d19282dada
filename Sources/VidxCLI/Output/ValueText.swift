import Vidx

extension Value {
  /// As a cell of a table.
  var cell: TextTable.Cell {
    switch self {
    case .null: TextTable.Cell(text: "")
    case .integer(let integer): TextTable.Cell(text: String(integer), isNumber: true)
    case .real(let real): TextTable.Cell(text: real.description, isNumber: true)
    case .text(let text): TextTable.Cell(text: text)
    case .blob(let bytes): TextTable.Cell(text: "(\(byteSize(bytes.count)))")
    }
  }
}

extension JSONWriter {
  /// A BLOB is a string of hexadecimal digits, as SQL's hex() gives it.
  mutating func value(_ value: Value) {
    switch value {
    case .null: null()
    case .integer(let number): integer(number)
    case .real(let real): number(real)
    case .text(let text): string(text)
    case .blob(let bytes): string(Self.hex(bytes))
    }
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
