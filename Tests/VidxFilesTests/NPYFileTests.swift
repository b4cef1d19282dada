import Testing

@testable import VidxFiles

@Suite struct NPYFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [UInt8(1), 2, 3]) func readsFloatsOfEveryVersion(major: UInt8) throws {
    let values: [Float] = [1, -2.5, 3.25, 4, 5, 6]
    let path = try directory.file(
      "a.npy", NPYBytes.make(header: NPYBytes.header("<f4", "(3, 2)"), major: major, data: NPYBytes.floats(values)))
    let file = try NPYFile(path: path)
    #expect(file.count == 3)
    #expect(file.dimensions == 2)
    #expect(try file.block(0..<3) == values)
    #expect(try file.block(1..<2) == [3.25, 4])
    #expect(try file.block(2..<2) == [])
    #expect(try file.vector(2) == [5, 6])
  }

  @Test func widensEveryHalf() throws {
    let halves = (0...UInt16.max).map { $0 }
    let path = try directory.file(
      "h.npy",
      NPYBytes.make(
        header: NPYBytes.header("<f2", "(256, 256)"), data: halves.flatMap { NPYBytes.littleEndian($0) }))
    let floats = try NPYFile(path: path).block(0..<256)
    for (half, float) in zip(halves, floats) {
      let expected = Self.reference(half)
      #expect(float.bitPattern == expected.bitPattern || (float.isNaN && expected.isNaN), "half \(half)")
    }
  }

  /// IEEE 754-2019 section 3.4, from the fields.
  static func reference(_ half: UInt16) -> Float {
    let fraction = Float(half & 0x3FF)
    let exponent = Int(half >> 10 & 0x1F)
    let sign: FloatingPointSign = half & 0x8000 == 0 ? .plus : .minus
    let magnitude: Float =
      switch exponent {
      case 0: Float(sign: .plus, exponent: -24, significand: fraction)
      case 31: fraction == 0 ? .infinity : .nan
      default: Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
      }
    return sign == .minus ? -magnitude : magnitude
  }

  @Test func readsOtherSpellingsOfTheHeader() throws {
    let header = "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}"
    let path = try directory.file("s.npy", NPYBytes.make(header: header, data: NPYBytes.floats([7, 8])))
    #expect(try NPYFile(path: path).vector(0) == [7, 8])
  }

  struct Bad: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let reason: FileError.Reason
    /// Must be in the message.
    let words: String
  }

  static let good = NPYBytes.make(header: NPYBytes.header("<f4", "(2, 2)"), data: NPYBytes.floats([1, 2, 3, 4]))

  static func bad(_ type: String, fortran: Bool = false, _ shape: String = "(2, 2)") -> [UInt8] {
    NPYBytes.make(header: NPYBytes.header(type, fortran: fortran, shape), data: .init(repeating: 0, count: 16))
  }

  static let all: [Bad] = [
    Bad(testDescription: "empty file", bytes: [], reason: .empty, words: "at least one row"),
    Bad(testDescription: "text", bytes: Array("[1, 2, 3]".utf8), reason: .notNPY, words: "numpy.save"),
    Bad(
      testDescription: "cut in the magic", bytes: Array(good[..<8]), reason: .truncated(expected: 12, actual: 8),
      words: "truncated: 12 bytes expected, 8 found"),
    Bad(
      testDescription: "cut in the data", bytes: Array(good.dropLast(3)),
      reason: .truncated(expected: good.count, actual: good.count - 3), words: "save the file again"),
    Bad(
      testDescription: "two arrays", bytes: good + good,
      reason: .surplus(expected: good.count, actual: good.count * 2), words: "one array to a file"),
    Bad(
      testDescription: "version 9", bytes: NPYBytes.make(header: "{}", major: 9, data: []),
      reason: .npyVersion(major: 9, minor: 0), words: "version 9.0, versions 1 to 3"),
    Bad(testDescription: "f8", bytes: bad("<f8"), reason: .elementType(found: "'<f8'"), words: "astype('<f4')"),
    Bad(testDescription: "i4", bytes: bad("<i4"), reason: .elementType(found: "'<i4'"), words: "'<i4'"),
    Bad(testDescription: "big-endian", bytes: bad(">f4"), reason: .bigEndian(found: "'>f4'"), words: "big-endian"),
    Bad(
      testDescription: "Fortran order", bytes: bad("<f4", fortran: true), reason: .fortranOrder,
      words: "numpy.ascontiguousarray"),
    Bad(testDescription: "one axis", bytes: bad("<f4", "(4,)"), reason: .shape([4]), words: "shape (4), two axes"),
    Bad(
      testDescription: "three axes", bytes: bad("<f4", "(2, 2, 1)"), reason: .shape([2, 2, 1]), words: "reshape"),
    Bad(testDescription: "no axis", bytes: bad("<f4", "()"), reason: .shape([]), words: "reshape"),
    Bad(testDescription: "no rows", bytes: bad("<f4", "(0, 4)"), reason: .empty, words: "no rows"),
    Bad(
      testDescription: "overflowing shape", bytes: bad("<f4", "(4611686018427387904, 4)"),
      reason: .truncated(expected: .max, actual: bad("<f4", "(4611686018427387904, 4)").count), words: "truncated"),
    Bad(
      testDescription: "an integer too long", bytes: bad("<f4", "(99999999999999999999, 4)"),
      reason: .npyHeader(expected: "an integer"), words: "damaged"),
    Bad(
      testDescription: "negative shape", bytes: bad("<f4", "(-1, 4)"), reason: .npyHeader(expected: "an integer"),
      words: "damaged"),
    Bad(
      testDescription: "structured",
      bytes: NPYBytes.make(
        header: "{'descr': [('x', '<f4'), ('y', '<f4', (2,))], 'fortran_order': False, 'shape': (2, 2)}", data: []),
      reason: .elementType(found: "a record (structured array)"), words: "record"),
    Bad(
      testDescription: "no order", bytes: NPYBytes.make(header: "{'descr': '<f4', 'shape': (2, 2)}", data: []),
      reason: .npyHeader(expected: "'fortran_order': True or False"), words: "damaged"),
    Bad(
      testDescription: "unclosed", bytes: NPYBytes.make(header: "{'descr': '<f4'", data: []),
      reason: .npyHeader(expected: "\"}\""), words: "damaged"),
  ]

  @Test(arguments: all) func refuses(_ bad: Bad) throws {
    let path = try directory.file("bad.npy", bad.bytes)
    let error = try fileError { _ = try NPYFile(path: path) }
    #expect(error == FileError(path: path, reason: bad.reason))
    #expect(error.message.hasPrefix(path))
    #expect(error.message.contains(bad.words), "\(error.message)")
  }

  @Test func refusesEveryCutWithoutTrapping() throws {
    for length in 0..<Self.good.count {
      let path = try directory.file("cut.npy", Self.good[..<length])
      #expect(throws: FileError.self) { try NPYFile(path: path) }
    }
  }

  @Test func refusesEveryFlippedHeaderByteOrReadsIt() throws {
    let headerBytes = Self.good.count - 16
    for index in 0..<headerBytes {
      var bytes = Self.good
      bytes[index] ^= 0x15
      let path = try directory.file("flip.npy", bytes)
      do { _ = try NPYFile(path: path).block(0..<1) } catch let error as FileError {
        #expect(!error.message.isEmpty)
      }
    }
  }

  @Test func namesTheSystemsReason() throws {
    let missing = directory.path + "/none.npy"
    let error = try fileError { _ = try NPYFile(path: missing) }
    #expect(error.reason == .system(operation: "open", errno: 2))
    #expect(error.message == "\(missing): cannot open: No such file or directory; check the path and its permissions")
    let folder = try fileError { _ = try NPYFile(path: directory.path) }
    #expect(folder.message.contains("directory"))
  }
}
