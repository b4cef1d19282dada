import Vidx
import VidxIndexes

/// Work that takes time: a bar while it goes on, Ctrl-C undoes it.
enum LongWork {
  static func run<Result>(
    threads: Int?, memory: Int? = nil, _ body: (BuildOptions) throws -> Result
  ) rethrows -> Result {
    Interruption.listen()
    let bar = ProgressBar()
    defer { bar.finish() }
    return try body(
      BuildOptions(
        threads: threads ?? 0, memory: memory,
        progress: { bar.report(stage: $0.name, done: $0.done, total: $0.total) },
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
    duration((ContinuousClock.now - start) / .seconds(1))
  }

  static func duration(_ seconds: Double) -> String {
    if seconds >= 60 { return ProgressBar.clock(Int(seconds)) + " min" }
    let tenths = Int((seconds * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}

extension BuildProgress {
  /// The stage, and the segment where there are several: "linking", "2/5 linking".
  var name: String { parts == 1 ? stage.rawValue : "\(part)/\(parts) \(stage.rawValue)" }
}
