import Synchronization
import VidxSegments

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Threads for long loops: plain POSIX threads, so that the loadable extension carries no scheduler.
package enum Parallel {
  /// The number of processors this process may run on.
  package static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Runs `body(worker)` once for each worker 0..<threads, the last on the calling thread, and waits for all.
  package static func run(threads: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let helpers = max(threads, 1) - 1
    let started = (0..<helpers).compactMap { worker in start { body(worker) } }
    body(helpers)
    for thread in started { thread.join() }
  }

  /// - Returns: nil when there was no thread to be had, and the work is done.
  private static func start(_ body: @escaping @Sendable () -> Void) -> PlainThread? {
    if let thread = PlainThread(body) { return thread }
    body()
    return nil
  }

  /// Runs `body` here and `other` beside it on a thread of its own, and waits for both.
  static func beside<Value>(_ other: @escaping @Sendable () -> Void, _ body: () throws -> Value) rethrows -> Value {
    let helper = start(other)
    defer { helper?.join() }
    return try body()
  }

  /// Calls `body(worker, range)` for consecutive chunks of 0..<count, handed out to the workers as they come.
  package static func chunks(
    _ count: Int, chunk: Int, threads: Int, _ body: @escaping @Sendable (Int, Range<Int>) -> Void
  ) {
    if count == 0 { return }
    let next = Counter()
    let workers = min(max(threads, 1), (count + chunk - 1) / chunk)
    run(threads: workers) { worker in
      while true {
        let start = next.value.wrappingAdd(chunk, ordering: .relaxed).oldValue
        if start >= count { return }
        body(worker, start..<min(start + chunk, count))
      }
    }
  }

  /// The results of `body` for 0..<count, in that order; calls are handed out to the threads as they come.
  package static func map<Value: Sendable>(
    _ count: Int, threads: Int, _ body: @escaping @Sendable (Int) -> Value
  ) -> [Value] {
    if threads <= 1 || count <= 1 { return (0..<count).map(body) }
    let results = ResultSlots<Value>(count)
    chunks(count, chunk: 1, threads: threads) { _, range in
      for i in range {
        let value = body(i)
        results.slots.withLock { $0[i] = value }
      }
    }
    return results.slots.withLock { $0.compactMap { $0 } }
  }

  private final class ResultSlots<Value: Sendable>: Sendable {
    let slots: Locked<[Value?]>
    init(_ count: Int) { slots = Locked(Array(repeating: nil, count: count)) }
  }

  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }
}
