import Testing

@testable import VidxFiles

@Suite struct JSONTests {
  static func skip(_ text: String) throws(JSONError) {
    var scanner = JSONScanner(Array(text.utf8))
    _ = try scanner.skipValue()
    try scanner.finish()
  }

  @Test(arguments: [
    "{}", "[]", " [ ] ", "{\"a\":[1,2,{\"b\":null}],\"c\":true}", "\"\\u00e9\\n\\/\"", "-0", "0.5", "1e5", "1E-7",
    "[[[]],[]]", "\"\u{7F}é𝄞\"", "false", "\t\r\n1 ",
  ]) func accepts(_ text: String) throws {
    try Self.skip(text)
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "01", "-",
    "+1", "1.", ".5", "1e", "1e+", "0x10", "NaN", "Infinity", "-Infinity", "nul", "truee", "\"abc", "\"\\x\"",
    "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "1 2", "[1]]", "// x", "[1}",
    "{\"a\":1]", "1e999",
  ]) func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try Self.skip(text) }
  }

  @Test func namesThePlace() {
    #expect(throws: JSONError(reason: .number, offset: 4)) { try Self.skip("[1, NaN]") }
    #expect(JSONError(reason: .number, offset: 4).message.contains("byte 5"))
    #expect(throws: JSONError(reason: .trailing, offset: 2)) { try Self.skip("1 2") }
  }

  @Test func refusesBytesThatAreNotUTF8() {
    var scanner = JSONScanner([0x22, 0xC3, 0x28, 0x22])
    #expect(throws: JSONError(reason: .notUTF8, offset: 1)) { try scanner.string() }
  }

  @Test func boundsNesting() throws {
    let limit = JSONScanner.maximumDepth
    try Self.skip(String(repeating: "[", count: limit) + String(repeating: "]", count: limit))
    #expect(throws: JSONError(reason: .tooDeep, offset: limit + 1)) {
      try Self.skip(String(repeating: "[", count: 100_000))
    }
  }

  @Test func decodesStrings() throws {
    var scanner = JSONScanner(Array(#""a\"\\\/\b\f\n\r\t\u0041\u00e9\ud834\udd1eé""#.utf8))
    #expect(try scanner.string() == "a\"\\/\u{8}\u{C}\n\r\tAé𝄞é")
  }

  @Test(arguments: [
    "0", "-0", "1", "-1", "123456789012345678", "9007199254740993", "0.1", "0.3", "1e22", "1e23", "8.41e21",
    "2.2250738585072011e-308", "4.9e-324", "1.7976931348623157e308", "0.1234567890123456789012345678901234567890",
    "100000000000000000000000000000", "-3.4028234663852886e38", "0.000001", "123456.789e-10", "1e-400",
    "5e-324", "0.00000000000000000000000000000000000000000001",
  ]) func roundsNumbersAsTheLibraryDoes(_ text: String) throws {
    var scanner = JSONScanner(Array(text.utf8))
    let number = try scanner.number()
    #expect(number.value.bitPattern == Double(text)?.bitPattern)
    #expect(number.range == 0..<text.utf8.count)
    #expect(number.isInteger == !text.contains { ".eE".contains($0) })
  }

  @Test func roundsRandomFloatsBack() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let float = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator))
      guard float.isFinite else { continue }
      var scanner = JSONScanner(Array("\(float)".utf8))
      let read = Float(try scanner.number().value)
      #expect(read == float, "\(float), bits \(float.bitPattern)")
    }
  }
}
