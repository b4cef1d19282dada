#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Lets the process not fork while a thread of ours is inside SQLite: the child would find locks of SQLite's, of memory
/// and of files, held by a thread that it does not have.
///
/// A thread of ours calls `enter` before it uses SQLite and `leave` behind it; a fork waits until none is inside.
enum ForkGate {
  /// Another one in a child: the threads of its parent are none of its own.
  static var process: Int { gate.process }

  /// Before the first thread of ours, so that the next fork knows of it.
  static func install() { _ = gate }

  static func enter() { gate.enter() }

  static func leave() { gate.leave() }

  /// Runs the body between two uses of SQLite.
  static func outside<Result>(_ body: () throws -> Result) rethrows -> Result {
    leave()
    defer { enter() }
    return try body()
  }

  /// Runs the body while no other thread does and none forks: the child finds nobody in the middle of it. It must wait
  /// for nothing.
  /// - Parameter body: takes `process`.
  static func alone<Result>(_ body: (Int) -> Result) -> Result { gate.alone(body) }

  /// Lets a fork that is waiting go first.
  static func pause() { outside { _ = usleep(1_000) } }

  private static let gate: Gate = {
    let gate = Gate()
    // The library stays in memory (SQLITE_OK_LOAD_PERMANENTLY), and so may these.
    let code = pthread_atfork(
      { ForkGate.gate.beginFork() }, { ForkGate.gate.endFork(isChild: false) },
      { ForkGate.gate.endFork(isChild: true) })
    precondition(code == 0, "pthread_atfork: \(code)")
    return gate
  }()
}

/// How many threads are inside.
@safe private final class Gate: @unchecked Sendable {
  // @unchecked: what changes is behind the mutex, which a fork holds.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var inside = 0
  private var forks = 0

  /// Seconds that a fork waits. Whoever forks may hold what a thread inside waits for: the lock of a function that the
  /// host has given SQLite (`SQLITE_CONFIG_LOG`). Then the fork goes on, as it would without the gate.
  private static let patience = 5

  init() {
    let codes = unsafe (pthread_mutex_init(mutex, nil), pthread_cond_init(change, nil))
    precondition(codes == (0, 0), "pthread: \(codes)")
  }

  var process: Int {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return forks
  }

  func alone<Result>(_ body: (Int) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(forks)
  }

  func enter() {
    unsafe pthread_mutex_lock(mutex)
    inside += 1
    unsafe pthread_mutex_unlock(mutex)
  }

  func leave() {
    unsafe pthread_mutex_lock(mutex)
    inside -= 1
    unsafe pthread_cond_broadcast(change)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Keeps the mutex, so that nobody enters until the fork is done.
  func beginFork() {
    unsafe pthread_mutex_lock(mutex)
    var deadline = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += Self.patience
    while inside > 0, unsafe pthread_cond_timedwait(change, mutex, &deadline) == 0 {}
  }

  func endFork(isChild: Bool) {
    if isChild {
      forks += 1
      inside = 0
      // Nobody waits in the child.
      unsafe pthread_cond_init(change, nil)
    }
    unsafe pthread_mutex_unlock(mutex)
  }
}
