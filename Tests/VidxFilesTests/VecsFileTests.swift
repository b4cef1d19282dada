import Testing

@testable import VidxFiles

@Suite struct VecsFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static func row(_ values: [Float], dimensions: Int32? = nil) -> [UInt8] {
    NPYBytes.littleEndian(dimensions ?? Int32(values.count)) + NPYBytes.floats(values)
  }

  @Test func readsRows() throws {
    let path = try directory.file("a.fvecs", Self.row([1, 2, 3]) + Self.row([4, 5, 6]) + Self.row([7, 8, 9]))
    let file = try VecsFile(path: path, element: .f32)
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
    #expect(try VecsFile(path: path, element: .f32).block(3..<rows) == Array(values[3...].joined()))
  }

  @Test func refusesRowsOfOtherDimensions() throws {
    // Same number of bytes: only the heads tell.
    let path = try directory.file("d.fvecs", Self.row([1, 2]) + Self.row([3, 4], dimensions: 7) + Self.row([5, 6]))
    let file = try VecsFile(path: path, element: .f32)
    let error = try fileError { _ = try file.block(0..<3) }
    #expect(error == FileError(path: path, place: .row(2), reason: .dimensions(expected: 2, actual: 7)))
    #expect(error.message.contains("row 2: 7 dimensions, 2 in the rows before"))

    let longer = try directory.file("e.fvecs", Self.row([1, 2]) + Self.row([3, 4, 5]))
    let opened = try fileError { _ = try VecsFile(path: longer, element: .f32) }
    #expect(opened == FileError(path: longer, place: .row(2), reason: .dimensions(expected: 2, actual: 3)))
  }

  @Test func refusesBadFiles() throws {
    let empty = try directory.file("0.fvecs", [UInt8]())
    #expect(try fileError { _ = try VecsFile(path: empty, element: .f32) }.reason == .empty)
    let cut = try directory.file("cut.fvecs", Self.row([1, 2]) + Self.row([3, 4]).dropLast(2))
    #expect(
      try fileError { _ = try VecsFile(path: cut, element: .f32) }
        == FileError(path: cut, place: .row(2), reason: .truncated(expected: 24, actual: 22)))
    let short = try directory.file("short.fvecs", [1, 0])
    #expect(try fileError { _ = try VecsFile(path: short, element: .f32) }.reason == .truncated(expected: 4, actual: 2))
    for dimensions in [Int32(0), -5, .min] {
      let path = try directory.file("n.fvecs", Self.row([1], dimensions: dimensions))
      #expect(try fileError { _ = try VecsFile(path: path, element: .f32) }.reason == .shape([Int(dimensions)]))
    }
    let huge = try directory.file("huge.fvecs", Self.row([1], dimensions: .max))
    #expect(try fileError { _ = try VecsFile(path: huge, element: .f32) }.place == .row(1))
  }

  static func bytes(_ values: [UInt8], dimensions: Int32? = nil) -> [UInt8] {
    NPYBytes.littleEndian(dimensions ?? Int32(values.count)) + values
  }

  @Test func readsBytes() throws {
    let path = try directory.file("a.bvecs", Self.bytes([0, 127, 128]) + Self.bytes([255, 1, 2]))
    let file = try VectorFormat.open(path)
    #expect((file.count, file.dimensions) == (2, 3))
    #expect(try file.block(0..<2) == [0, 127, 128, 255, 1, 2])
    #expect(try file.vector(1) == [255, 1, 2])

    let rows = (0..<9000).map { row in (0..<130).map { UInt8(truncatingIfNeeded: row * 7 + $0) } }
    let long = try VecsFile(path: directory.file("long.bvecs", rows.flatMap { Self.bytes($0) }), element: .u8)
    #expect(try long.block(3..<9000) == rows[3...].joined().map(Float.init))
  }

  @Test func refusesBadFilesOfBytes() throws {
    for (name, content, place, reason): (String, [UInt8], FileError.Place, FileError.Reason) in [
      ("empty", [], .file, .empty), ("short", [3], .row(1), .truncated(expected: 4, actual: 1)),
      ("none", Self.bytes([], dimensions: 0), .row(1), .shape([0])),
      ("negative", Self.bytes([1], dimensions: -1), .row(1), .shape([-1])),
      ("cut", Self.bytes([1, 2]) + Self.bytes([3]).dropLast(4), .row(2), .truncated(expected: 12, actual: 7)),
      ("uneven", Self.bytes([1, 2]) + Self.bytes([1, 2, 3]), .row(2), .dimensions(expected: 2, actual: 3)),
      // What .fvecs has, seen as bytes.
      ("floats", Self.row([1, 2]) + Self.row([3, 4]), .row(2), .dimensions(expected: 2, actual: 16_256)),
    ] {
      let path = try directory.file("\(name).bvecs", content)
      let error = try fileError {
        let file = try VectorFormat.open(path)
        _ = try file.block(0..<file.count)
      }
      #expect(error == FileError(path: path, place: place, reason: reason), "\(name): \(error)")
    }
  }
}
