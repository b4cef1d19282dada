import CVidxKernels
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
    if let thread = PlainThread(isPolite: unsafe pthread_getspecific(considerate) != nil, body) { return thread }
    body()
    return nil
  }

  /// Set on threads whose helpers are polite.
  private static let considerate: pthread_key_t = {
    var key = pthread_key_t()
    unsafe precondition(pthread_key_create(&key, nil) == 0, "the process has no thread-specific key left")
    return key
  }()

  /// Runs the body here, with helpers that leave the processors to others: for work that somebody waits for, beside
  /// which searches go first.
  package static func considerately<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = unsafe pthread_getspecific(considerate)
    unsafe pthread_setspecific(considerate, UnsafeRawPointer(bitPattern: 1))
    defer { unsafe pthread_setspecific(considerate, before) }
    return try body()
  }

  /// Runs `body` here and `other` beside it on a thread of its own, and waits for both.
  static func beside<Value>(_ other: @escaping @Sendable () -> Void, _ body: () throws -> Value) rethrows -> Value {
    let helper = start(other)
    defer { helper?.join() }
    return try body()
  }

  /// Runs the body on a thread that leaves the processors to others, as those do which it starts, and waits for it.
  package static func politely(_ body: () throws -> Void) throws {
    try withoutActuallyEscaping(body) { body in
      let errand = Errand(body)
      guard let thread = PlainThread(leavesSignals: true, isPolite: true, { errand.run() }) else { return try body() }
      thread.join()
      if let error = errand.error { throw error }
    }
  }

  // @unchecked: whoever makes it waits for the one thread that runs it.
  private final class Errand: @unchecked Sendable {
    private let body: () throws -> Void
    private(set) var error: (any Error)?

    init(_ body: @escaping () throws -> Void) { self.body = body }

    func run() {
      // Where threads do not have the priority of those that start them.
      do { try Parallel.considerately(body) } catch { self.error = error }
    }
  }

  /// One turn of waiting for a lock that is held for moments. After many, whoever holds it has lost its processor,
  /// perhaps to this very thread.
  @inline(__always)
  static func pause(_ turns: inout Int) {
    turns += 1
    if turns & 1_023 != 0 { vidx_pause() } else { sched_yield() }
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
