import Vidx
import VidxIndexes

/// Work that takes time: a bar while it goes on, Ctrl-C undoes it.
enum LongWork {
  static func run<Result>(threads: Int?, _ body: (BuildOptions) throws -> Result) rethrows -> Result {
    Interruption.listen()
    let bar = ProgressBar()
    defer { bar.finish() }
    return try body(
      BuildOptions(
        threads: threads ?? 0,
        progress: { bar.report(stage: $0.stage.rawValue, done: $0.done, total: $0.total) },
        isCancelled: { Interruption.isRequested }))
  }

  /// Work that counts bytes, told to the body's argument, which throws after Ctrl-C.
  static func run<Result>(
    stage: String, _ body: (@escaping (_ done: Int, _ total: Int) throws -> Void) throws -> Result
  ) rethrows -> Result {
    Interruption.listen()
    let bar = ProgressBar()
    defer { bar.finish() }
    return try body { done, total in
      if Interruption.isRequested { throw CancellationError() }
      bar.report(stage: stage, done: done >> 20, total: total >> 20)
    }
  }

  /// "1.2 s", "3:05 min".
  static func duration(since start: ContinuousClock.Instant) -> String {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if seconds >= 60 { return ProgressBar.clock(Int(seconds)) + " min" }
    let tenths = Int((seconds * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
