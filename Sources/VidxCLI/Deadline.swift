import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Settles which came first, an alarm or the end of the work that it watches. An alarm may ring at any moment and on
/// any thread, also while the work ends, and the next one right behind it.
///
/// Made of atomics only, because signal handlers use it.
struct Deadline: ~Copyable {
  private enum Phase {
    static let idle = 0
    static let running = 1
    static let over = 2
  }

  private let phase = Atomic<Int>(Phase.idle)
  /// Alarms that are being seen to.
  private let ringing = Atomic<Int>(0)

  /// The work begins.
  func begin() { phase.store(Phase.running, ordering: .sequentiallyConsistent) }

  /// An alarm rings.
  /// - Parameters:
  ///   - interrupt: what the first one does while the work goes on.
  ///   - end: what the next ones do when it still goes on.
  func ring(interrupt: () -> Void, end: () -> Void) {
    ringing.add(1, ordering: .sequentiallyConsistent)
    let (isFirst, found) = phase.compareExchange(
      expected: Phase.running, desired: Phase.over, ordering: .sequentiallyConsistent)
    if isFirst { interrupt() } else if found == Phase.over { end() }
    ringing.subtract(1, ordering: .sequentiallyConsistent)
  }

  /// The work has ended: alarms do nothing from now on, and what one does on another thread is done.
  /// - Returns: whether one rang before.
  func finish() -> Bool {
    let last = phase.exchange(Phase.idle, ordering: .sequentiallyConsistent)
    while ringing.load(ordering: .sequentiallyConsistent) > 0 { _ = sched_yield() }
    return last == Phase.over
  }
}
