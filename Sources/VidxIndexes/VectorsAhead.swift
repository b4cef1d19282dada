import Synchronization
import VidxSegments

/// A segment file of which the vectors are written while its graph is built: where lists are taken over, their order is
/// known before. The system then writes them to the device meanwhile, too.
final class VectorsAhead: @unchecked Sendable {
  // @unchecked: one thread writes; another takes the outcome when it has waited for that.
  private var writer: SegmentWriter?
  private var failure: (any Error)?
  /// Whether there is one: for who builds meanwhile.
  private let hasFailed = Atomic<Bool>(false)
  private let vectors: VectorWriting
  private let options: BuildOptions

  init(_ writer: consuming SegmentWriter, _ vectors: VectorWriting, _ options: BuildOptions) {
    self.writer = consume writer
    self.vectors = vectors
    var quiet = options
    // Other stages are reported at the same time, and use all the other threads.
    quiet.progress = { _ in }
    quiet.threads = 1
    self.options = quiet
  }

  /// Writes the vectors, if there is such a file, and does something else beside.
  /// - Parameter body: is cancelled by the options that it gets when the vectors cannot be written, such as for a full
  ///   disk: what it makes would have no place.
  /// - Throws: what the writing ended with, or else what the body throws.
  static func write<Value>(
    _ ahead: VectorsAhead?, _ options: BuildOptions, beside body: (BuildOptions) throws -> Value
  ) throws -> Value {
    guard let ahead else { return try body(options) }
    var beside = options
    beside.isCancelled = { options.isCancelled() || ahead.hasFailed.load(ordering: .relaxed) }
    let made = Result { try Parallel.beside({ ahead.write() }, { try body(beside) }) }
    if let failure = ahead.failure { throw failure }
    return try made.get()
  }

  private func write() {
    guard var file = writer.take() else { return }
    do {
      try vectors.write(to: &file, options)
      writer = consume file
    } catch {
      failure = error
      hasFailed.store(true, ordering: .relaxed)
    }
  }

  /// The file with its vectors.
  func take() -> SegmentWriter {
    guard let file = writer.take() else { preconditionFailure("the file is taken already") }
    return file
  }

  /// Removes the file.
  func drop() { writer = nil }
}
