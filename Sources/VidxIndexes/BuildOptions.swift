/// How far a build is.
package struct BuildProgress: Sendable, Equatable {
  package enum Stage: String, Sendable {
    case reading, clustering, coding, linking, measuring, writing
  }

  package var stage: Stage
  /// Units done of this stage, of `total`: rows, vectors or bytes.
  package var done: Int
  package var total: Int

  package init(stage: Stage, done: Int, total: Int) {
    self.stage = stage
    self.done = done
    self.total = total
  }
}

/// How a build may use the machine.
package struct BuildOptions: Sendable {
  package var threads: Int
  /// Called from one of the build's threads, often.
  package var progress: @Sendable (BuildProgress) -> Void
  /// Asked often, from any of the build's threads; true ends the build with `BuildError.cancelled`.
  package var isCancelled: @Sendable () -> Bool

  package init(
    threads: Int = 0, progress: @escaping @Sendable (BuildProgress) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.threads = threads > 0 ? threads : Parallel.processorCount
    self.progress = progress
    self.isCancelled = isCancelled
  }
}
