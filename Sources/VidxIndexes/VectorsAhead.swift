import VidxSegments

/// A segment file of which the vectors are written while its graph is built: where lists are taken over, their order is
/// known before. The system then writes them to the device meanwhile, too.
final class VectorsAhead: @unchecked Sendable {
  // @unchecked: one thread writes; another takes the outcome when it has waited for that.
  private var writer: SegmentWriter?
  private var failure: (any Error)?
  private let vectors: VectorWriting
  private let options: BuildOptions

  init(_ writer: consuming SegmentWriter, _ vectors: VectorWriting, _ options: BuildOptions) {
    self.writer = consume writer
    self.vectors = vectors
    var quiet = options
    // Other stages are reported at the same time.
    quiet.progress = { _ in }
    self.options = quiet
  }

  /// Writes the vectors, if there is such a file, and does something else beside.
  static func write<Value>(_ ahead: VectorsAhead?, beside body: () throws -> Value) rethrows -> Value {
    guard let ahead else { return try body() }
    return try Parallel.beside({ ahead.write() }, body)
  }

  private func write() {
    guard var file = writer.take() else { return }
    do {
      try vectors.write(to: &file, options)
      writer = consume file
    } catch {
      failure = error
    }
  }

  /// The file with its vectors.
  /// - Throws: what the writing ended with.
  func take() throws -> SegmentWriter {
    if let failure { throw failure }
    guard let file = writer.take() else { preconditionFailure("the file is taken already") }
    return file
  }

  /// Removes the file.
  func drop() { writer = nil }
}
