import Testing
import VidxSQLite

@Suite struct VectorLiteralTests {
  @Test(
    arguments: [
      ("[1, 2.5, -3e-2]", [1, 2.5, -0.03]),
      ("[0]", [0]),
      (" \t\r\n[ 1 ,\n-0.0 ] ", [1, -0.0]),
      ("[1e+10,1e-05,-7E2]", [1e10, 1e-5, -700]),
      ("[0.1,0.3333333333333333148]", [0.1, 1.0 / 3]),
      // The nearest float to 1 + 2^-24 + 2^-60 is the next after 1: going through a double would give 1.
      ("[1.00000005960464477626]", [Float(1).nextUp]),
      ("[1e-46,3.4028235e38]", [0, .greatestFiniteMagnitude]),
    ] as [(String, [Float])])
  func readsText(_ text: String, expected: [Float]) throws {
    #expect(try VectorLiteral.parse(text) == expected)
  }

  @Test(
    arguments: [
      ("", .unexpectedEnd(expected: "'['")),
      ("1,2", .unexpected(byte: 1, expected: "'['")),
      ("[]", .empty),
      ("[ ]", .empty),
      ("[1", .unexpectedEnd(expected: "',' or ']'")),
      ("[1,", .unexpectedEnd(expected: "a number")),
      ("[1,]", .unexpected(byte: 4, expected: "a number")),
      ("[,1]", .unexpected(byte: 2, expected: "a number")),
      ("[1 2]", .unexpected(byte: 4, expected: "',' or ']'")),
      ("[1] x", .unexpected(byte: 5, expected: "nothing after ']'")),
      ("[1][2]", .unexpected(byte: 4, expected: "nothing after ']'")),
      ("[+1]", .unexpected(byte: 2, expected: "a number")),
      ("[.5]", .unexpected(byte: 2, expected: "a number")),
      ("[5.]", .unexpected(byte: 4, expected: "a digit")),
      ("[1e]", .unexpected(byte: 4, expected: "a digit")),
      ("[1e+", .unexpectedEnd(expected: "a digit")),
      ("[01]", .unexpected(byte: 3, expected: "',' or ']'")),
      ("[0x1]", .unexpected(byte: 3, expected: "',' or ']'")),
      ("[-]", .unexpected(byte: 3, expected: "a number")),
      ("[1,null]", .notFinite(component: 1)),
      ("[NaN]", .notFinite(component: 0)),
      ("[1,2,Infinity]", .notFinite(component: 2)),
      ("[1,-Infinity]", .notFinite(component: 1)),
      ("[1,1e39]", .outOfRange(component: 1, byte: 4)),
      ("[\"1\"]", .unexpected(byte: 2, expected: "a number")),
      ("[1,[2]]", .unexpected(byte: 4, expected: "a number")),
      ("{}", .unexpected(byte: 1, expected: "'['")),
      ("[1\0]", .unexpected(byte: 3, expected: "',' or ']'")),
      ("[１]", .unexpected(byte: 2, expected: "a number")),
    ] as [(String, VectorLiteralError)])
  func refusesText(_ text: String, expected: VectorLiteralError) {
    #expect(throws: expected) { try VectorLiteral.parse(text) }
  }

  @Test func boundsTheDimensions() throws {
    let most = "[" + String(repeating: "1,", count: 15_999) + "1]"
    #expect(try VectorLiteral.parse(most).count == 16_000)
    #expect(throws: VectorLiteralError.tooManyDimensions(count: nil)) {
      try VectorLiteral.parse("[1," + most.dropFirst())
    }
    let bytes = [UInt8](repeating: 0, count: 4 * 16_001)
    #expect(throws: VectorLiteralError.tooManyDimensions(count: 16_001)) {
      try unsafe bytes.withUnsafeBytes { bytes in unsafe try VectorLiteral.decode(bytes) }
    }
  }

  @Test(arguments: 0..<4)
  func decodesBlobsAtAnyAddress(_ shift: Int) throws {
    let vector: [Float] = [1, -2.5, 3e-20]
    let bytes = [UInt8](repeating: 0xFF, count: shift) + VectorLiteral.blob(of: vector)
    let decoded = try unsafe bytes.withUnsafeBytes { bytes in
      unsafe try VectorLiteral.decode(UnsafeRawBufferPointer(rebasing: bytes[shift...]))
    }
    #expect(decoded == vector)
  }

  @Test func blobsAreLittleEndian() {
    #expect(VectorLiteral.blob(of: [1, -2]) == [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])
  }

  @Test(
    arguments: [
      ([], .empty), ([1, 2, 3], .blobLength(byteCount: 3)), ([0, 0, 0, 0, 0], .blobLength(byteCount: 5)),
      ([0, 0, 0, 0, 0, 0, 0xC0, 0x7F], .notFinite(component: 1)), ([0, 0, 0x80, 0xFF], .notFinite(component: 0)),
    ] as [([UInt8], VectorLiteralError)])
  func refusesBlobs(_ bytes: [UInt8], expected: VectorLiteralError) {
    #expect(throws: expected) {
      try unsafe bytes.withUnsafeBytes { bytes in unsafe try VectorLiteral.decode(bytes) }
    }
  }

  @Test func textReadsBackAsTheSameFloats() throws {
    let seed: UInt64 = 20_261_121
    var state = seed
    var vector: [Float] = [0, -0.0, 1, 0.1, 16_777_216, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
    while vector.count < 2_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: state >> 32))
      if value.isFinite { vector.append(value) }
    }
    let text = VectorLiteral.text(of: vector)
    #expect(try VectorLiteral.parse(text).map(\.bitPattern) == vector.map(\.bitPattern), "seed \(seed)")
    #expect(VectorLiteral.text(of: [1, 2.5, -0.03]) == "[1,2.5,-0.03]")
  }
}
