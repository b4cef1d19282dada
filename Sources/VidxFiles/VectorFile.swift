/// Vectors in a file, read in blocks of rows from anywhere. Sendable: blocks may be read from several threads.
package protocol VectorFile: Sendable {
  var path: String { get }
  /// Number of vectors; at least 1.
  var count: Int { get }
  /// Elements of each vector; at least 1.
  var dimensions: Int { get }

  /// Writes vectors `rows` row-major as f32 (f16 widened, exactly) to the start of `destination`.
  ///
  /// - Parameter destination: room for at least `rows.count * dimensions` floats.
  /// - Throws: `FileError` naming the row or line. Values are not judged here, except numbers of text that f32 cannot
  ///   hold: NaN and infinity of binary files come through.
  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError)
}

extension VectorFile {
  /// One vector.
  package func vector(_ row: Int) throws(FileError) -> [Float] {
    precondition(row >= 0 && row < count, "row \(row) of \(count)")
    var result = [Float](repeating: 0, count: dimensions)
    var failure: FileError?
    unsafe result.withUnsafeMutableBufferPointer { buffer in
      do throws(FileError) { try unsafe read(rows: row..<row + 1, into: buffer) } catch { failure = error }
    }
    if let failure { throw failure }
    return result
  }
}

/// The formats vectors are read from, told apart by the end of the file's name.
package enum VectorFormat: String, CaseIterable, Sendable {
  case npy, fvecs, bvecs, jsonl

  /// Files of longer vectors are refused when they are opened: what one vector takes in memory is bounded, whatever a
  /// file says of itself. Indexes have fewer dimensions.
  static let maximumDimensions = 65_536

  static func check(
    dimensions: Int, path: String, place: FileError.Place = .file
  ) throws(FileError) {
    guard dimensions <= maximumDimensions else {
      throw FileError(path: path, place: place, reason: .tooManyDimensions(dimensions, limit: maximumDimensions))
    }
  }

  /// Opens a file of vectors. Cost: O(1) for binary files, one pass over the file for .jsonl.
  ///
  /// - Parameter field: the field that holds the vector, .jsonl only.
  package static func open(_ path: String, field: String = "vector") throws(FileError) -> any VectorFile {
    guard let format = allCases.first(where: { path.hasSuffix("." + $0.rawValue) }) else {
      throw FileError(path: path, reason: .unknownFormat(supported: allCases.map { "." + $0.rawValue }))
    }
    return switch format {
    case .npy: try NPYFile(path: path)
    case .fvecs: try VecsFile(path: path, element: .f32)
    case .bvecs: try VecsFile(path: path, element: .u8)
    case .jsonl: try JSONLinesVectors(path: path, field: field)
    }
  }
}
