import Testing

@testable import VidxFiles

@Suite struct FVecsFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static func row(_ values: [Float], dimensions: Int32? = nil) -> [UInt8] {
    NPYBytes.littleEndian(dimensions ?? Int32(values.count)) + NPYBytes.floats(values)
  }

  @Test func readsRows() throws {
    let path = try directory.file("a.fvecs", Self.row([1, 2, 3]) + Self.row([4, 5, 6]) + Self.row([7, 8, 9]))
    let file = try FVecsFile(path: path)
    #expect(file.count == 3)
    #expect(file.dimensions == 3)
    #expect(try file.block(0..<3) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
    #expect(try file.vector(1) == [4, 5, 6])
  }

  @Test func readsAcrossBlocks() throws {
    let rows = 700
    let dimensions = 512
    let values = (0..<rows).map { row in (0..<dimensions).map { Float(row * 1000 + $0) } }
    let path = try directory.file("long.fvecs", values.flatMap { Self.row($0) })
    #expect(try FVecsFile(path: path).block(3..<rows) == Array(values[3...].joined()))
  }

  @Test func refusesRowsOfOtherDimensions() throws {
    // Same number of bytes: only the heads tell.
    let path = try directory.file("d.fvecs", Self.row([1, 2]) + Self.row([3, 4], dimensions: 7) + Self.row([5, 6]))
    let file = try FVecsFile(path: path)
    let error = try fileError { _ = try file.block(0..<3) }
    #expect(error == FileError(path: path, place: .row(2), reason: .dimensions(expected: 2, actual: 7)))
    #expect(error.message.contains("row 2: 7 dimensions, 2 in the rows before"))

    let longer = try directory.file("e.fvecs", Self.row([1, 2]) + Self.row([3, 4, 5]))
    let opened = try fileError { _ = try FVecsFile(path: longer) }
    #expect(opened == FileError(path: longer, place: .row(2), reason: .dimensions(expected: 2, actual: 3)))
  }

  @Test func refusesBadFiles() throws {
    let empty = try directory.file("0.fvecs", [UInt8]())
    #expect(try fileError { _ = try FVecsFile(path: empty) }.reason == .empty)
    let cut = try directory.file("cut.fvecs", Self.row([1, 2]) + Self.row([3, 4]).dropLast(2))
    #expect(
      try fileError { _ = try FVecsFile(path: cut) }
        == FileError(path: cut, place: .row(2), reason: .truncated(expected: 24, actual: 22)))
    let short = try directory.file("short.fvecs", [1, 0])
    #expect(try fileError { _ = try FVecsFile(path: short) }.reason == .truncated(expected: 4, actual: 2))
    for dimensions in [Int32(0), -5, .min] {
      let path = try directory.file("n.fvecs", Self.row([1], dimensions: dimensions))
      #expect(try fileError { _ = try FVecsFile(path: path) }.reason == .shape([Int(dimensions)]))
    }
    let huge = try directory.file("huge.fvecs", Self.row([1], dimensions: .max))
    #expect(try fileError { _ = try FVecsFile(path: huge) }.place == .row(1))
  }
}
