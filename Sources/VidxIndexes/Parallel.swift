import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Threads for long loops: plain POSIX threads, so that the loadable extension carries no scheduler.
enum Parallel {
  /// The number of processors this process may run on.
  static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Runs `body(worker)` once for each worker 0..<threads, the last on the calling thread, and waits for all.
  static func run(threads: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let helpers = max(threads, 1) - 1
    var handles: [pthread_t] = []
    for worker in 0..<helpers {
      let start = unsafe Unmanaged.passRetained(ThreadStart { body(worker) })
      #if os(Linux)
        var handle = pthread_t()
      #else
        var handle: pthread_t?
      #endif
      let status = unsafe pthread_create(
        &handle, nil,
        { argument in
          #if os(Linux)
            let raw = unsafe argument!
          #else
            let raw = argument
          #endif
          unsafe Unmanaged<ThreadStart>.fromOpaque(raw).takeRetainedValue().body()
          return nil
        }, start.toOpaque())
      if status != 0 {
        // No thread to be had: do its share here.
        unsafe start.takeRetainedValue().body()
        continue
      }
      #if os(Linux)
        handles.append(handle)
      #else
        if let handle { handles.append(handle) }
      #endif
    }
    body(helpers)
    for handle in handles { pthread_join(handle, nil) }
  }

  /// Calls `body(worker, range)` for consecutive chunks of 0..<count, handed out to the workers as they come.
  static func chunks(
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

  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }

  private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
