internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Lets the process not fork while a thread of ours is inside SQLite: the child would find locks of SQLite's, of memory
/// and of files, held by a thread that it does not have.
///
/// A thread of ours calls `enter` before it uses SQLite and `leave` behind it; a fork waits in between. One thread at a
/// time is inside.
enum ForkGate {
  /// Another one in a child: the threads of its parent are none of its own.
  static var process: Int { forks.load(ordering: .relaxed) }

  private static let forks = Atomic<Int>(0)

  static func enter() { unsafe pthread_mutex_lock(mutex) }

  static func leave() { unsafe pthread_mutex_unlock(mutex) }

  /// Runs the body between two uses of SQLite.
  static func outside<Result>(_ body: () throws -> Result) rethrows -> Result {
    leave()
    defer { enter() }
    return try body()
  }

  /// Lets a fork that is waiting go first.
  static func pause() { outside { _ = usleep(1_000) } }

  // SAFETY: made once, before the first use, and never freed.
  nonisolated(unsafe) private static let mutex: UnsafeMutablePointer<pthread_mutex_t> = {
    let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    let code = unsafe pthread_mutex_init(mutex, nil)
    precondition(code == 0, "pthread_mutex_init: \(code)")
    // The library stays in memory (SQLITE_OK_LOAD_PERMANENTLY), and so may these.
    let atFork = pthread_atfork(
      { ForkGate.enter() }, { ForkGate.leave() },
      {
        ForkGate.forks.wrappingAdd(1, ordering: .relaxed)
        ForkGate.leave()
      })
    precondition(atFork == 0, "pthread_atfork: \(atFork)")
    return unsafe mutex
  }()
}
