import Synchronization

/// How far a build is.
package struct BuildProgress: Sendable, Equatable {
  package enum Stage: String, Sendable {
    case reading, clustering, coding, linking, measuring, writing
  }

  package var stage: Stage
  /// Units done of this stage, of `total`: rows, vectors or bytes.
  package var done: Int
  package var total: Int
  /// Which segment it is of those that the build makes, from 1.
  package var part = 1
  package var parts = 1

  package init(stage: Stage, done: Int, total: Int) {
    self.stage = stage
    self.done = done
    self.total = total
  }
}

/// What a build has computed, the same on every machine. Threads add to it.
package final class BuildWork: Sendable {
  private let scoreCount = Atomic<Int>(0)
  private let codeCount = Atomic<Int>(0)

  package init() {}

  /// Scores of vectors: those of candidates for links, of questions that are measured, and against centroids of lists.
  /// Without what k-means and splits into leaves take.
  package var scores: Int { scoreCount.load(ordering: .relaxed) }
  /// Vectors that were coded.
  package var coded: Int { codeCount.load(ordering: .relaxed) }

  func addScores(_ count: Int) { scoreCount.wrappingAdd(count, ordering: .relaxed) }
  func addCoded(_ count: Int) { codeCount.wrappingAdd(count, ordering: .relaxed) }
}

/// How a build may use the machine.
package struct BuildOptions: Sendable {
  package var threads: Int
  /// Bytes that a build may take: of more rows it makes several segments.
  package var memory: Int
  /// The caller has said how many threads, how much memory.
  private let areThreadsGiven: Bool
  private let isMemoryGiven: Bool
  /// The rows that a content table has are left for a build in parts.
  package var leavesContent = false
  /// Called from one of the build's threads, often.
  package var progress: @Sendable (BuildProgress) -> Void
  /// Asked often, from any of the build's threads; true ends the build with `BuildError.cancelled`.
  package var isCancelled: @Sendable () -> Bool
  /// Counts along.
  package let work = BuildWork()

  package init(
    threads: Int = 0, memory: Int? = nil, progress: @escaping @Sendable (BuildProgress) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.threads = threads > 0 ? threads : Parallel.processorCount
    self.memory = memory ?? BuildMemory.standard
    (areThreadsGiven, isMemoryGiven) = (threads > 0, memory != nil)
    self.progress = progress
    self.isCancelled = isCancelled
  }

  /// The same, with these in place of what the caller has not said.
  package func completed(threads: Int?, memory: Int?) -> BuildOptions {
    var options = self
    if !areThreadsGiven, let threads { options.threads = threads }
    if !isMemoryGiven, let memory { options.memory = memory }
    return options
  }

  /// The same, of one of several segments.
  package func ofPart(_ part: Int, of parts: Int) -> BuildOptions {
    if parts == 1 { return self }
    var options = self
    let report = progress
    options.progress = { progress in
      var progress = progress
      (progress.part, progress.parts) = (part, parts)
      report(progress)
    }
    return options
  }
}
