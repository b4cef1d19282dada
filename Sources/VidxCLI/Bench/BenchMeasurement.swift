import Synchronization
import Vidx
import VidxIndexes
import VidxSQLite
import VidxVectors

/// What one setting gives and costs.
struct BenchMeasurement: Sendable {
  let setting: BenchSetting
  /// The mean share of true neighbours found, and the standard error of that mean over the queries.
  let recall: Double
  let recallError: Double
  /// Queries a second, all threads together: the median of the rounds.
  let queriesPerSecond: Double
  /// Seconds for one query, the preparing of its vector included: a half, 95 and 99 of a hundred take no longer.
  let p50: Double
  let p95: Double
  let p99: Double
  /// Per query.
  let distanceComputations: Double
  let bytesRead: Double
}

/// An index being measured on one state of it.
struct Bench: Sendable {
  let snapshot: IndexSnapshot
  let queries: BenchQueries
  let truth: BenchTruth
  let k: Int
  let threads: Int
  let rounds: Int

  /// Asks all queries once for the recall, which also warms up, and then as many rounds as wanted for the times.
  func measure(_ setting: BenchSetting) throws -> BenchMeasurement {
    var counters = SearchCounters()
    var recalls: [Double] = []
    for i in queries.prepared.indices {
      if Interruption.isRequested { throw CancellationError() }
      let hits = try snapshot.search(
        queries.prepared[i], k: queries.wanted(k), parameters: setting.parameters, counters: &counters)
      recalls.append(truth.recall(queries.neighbours(hits, of: i, k: k), of: i))
    }
    let timed = try (0..<rounds).map { _ in try round(setting) }
    let latencies = timed.flatMap(\.latencies).sorted()
    let rates = timed.map { Double(recalls.count) / $0.seconds }.sorted()
    let count = Double(recalls.count)
    let recall = recalls.reduce(0, +) / count
    let variance = recalls.reduce(0) { $0 + ($1 - recall) * ($1 - recall) } / max(count - 1, 1)
    func percentile(_ share: Double) -> Double {
      latencies[min(latencies.count - 1, Int((share * Double(latencies.count)).rounded(.up)) - 1)]
    }
    return BenchMeasurement(
      setting: setting, recall: recall, recallError: (variance / count).squareRoot(),
      queriesPerSecond: rates[rates.count / 2], p50: percentile(0.50), p95: percentile(0.95), p99: percentile(0.99),
      distanceComputations: Double(counters.distanceComputations) / count,
      bytesRead: Double(counters.bytesRead) / count)
  }

  private struct Round: Sendable {
    var latencies: [Double] = []
    var seconds = 0.0
  }

  /// All queries once, one at a time on each thread, the next one to whoever is free.
  private func round(_ setting: BenchSetting) throws -> Round {
    let next = Atomic<Int>(0)
    let result = Mutex(Round())
    let failure = Mutex<(any Error)?>(nil)
    let parameters = setting.parameters
    let k = queries.wanted(k)
    let start = ContinuousClock.now
    Parallel.run(threads: min(threads, queries.vectors.count)) { _ in
      var latencies: [Double] = []
      var report = SearchReport()
      let memory = SearchMemory()
      do {
        while !Interruption.isRequested {
          let i = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if i >= queries.vectors.count { break }
          let begun = ContinuousClock.now
          _ = try unsafe queries.vectors[i].withUnsafeBufferPointer {
            try unsafe snapshot.search($0, k: k, parameters: parameters, in: memory, report: &report)
          }
          latencies.append((ContinuousClock.now - begun) / .seconds(1))
        }
      } catch { failure.withLock { $0 = error } }
      result.withLock { $0.latencies += latencies }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if let error = failure.withLock({ $0 }) { throw error }
    if Interruption.isRequested { throw CancellationError() }
    return result.withLock { Round(latencies: $0.latencies, seconds: seconds) }
  }
}
