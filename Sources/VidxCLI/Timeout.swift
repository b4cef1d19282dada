import Vidx
import VidxSQLite

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

private let deadline = Deadline()
// SAFETY: set before the deadline runs and cleared when no alarm looks at it any more; the handler only sets a flag of
// the connection.
nonisolated(unsafe) private var watched: Connection?

/// Work that is given up after a time (--timeout).
///
/// The alarm interrupts SQLite, which undoes what the statement did. Half a second later, when something else is at
/// work, it ends the process: what is not committed is not visible.
enum Timeout {
  private static let message =
    "no answer within the time given; narrow the condition, index the columns it tests, or give more time"

  /// The same, made before it is needed.
  private static let line: StaticString =
    "vidx: no answer within the time given; narrow the condition, index the columns it tests, or give more time\n"

  /// The value of --timeout, in seconds.
  static func seconds(_ arguments: Arguments) throws(UsageError) -> Double? {
    guard let seconds = try arguments.number(Options.timeout) else { return nil }
    guard seconds > 0, seconds <= 1e9 else {
      throw UsageError("\(Options.timeout.spelling) \(seconds): seconds above 0 expected")
    }
    return seconds
  }

  /// - Parameter seconds: nil for any time.
  static func run<Result>(_ seconds: Double?, _ session: Session, _ body: () throws -> Result) throws -> Result {
    guard let seconds else { return try body() }
    unsafe watched = session.connection
    deadline.begin()
    signal(SIGALRM) { _ in
      deadline.ring {
        unsafe watched?.interrupt()
        Timeout.arm(0.5)
      } end: {
        Timeout.end()
      }
    }
    unblock()
    arm(seconds)
    do {
      let result = try body()
      _ = disarm()
      return result
    } catch {
      guard disarm() else { throw error }
      throw VidxError(.cancelled, message, cause: error)
    }
  }

  /// - Returns: whether the time was over.
  private static func disarm() -> Bool {
    // An alarm that rings meanwhile may set the next one: that is over before the timer is stopped.
    let isOver = deadline.finish()
    arm(0)
    unsafe watched = nil
    return isOver
  }

  /// Whoever started us may have left the signal blocked, as threads of libdispatch do.
  private static func unblock() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGALRM)
    unsafe sigprocmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Rings once, after so many seconds; 0: never.
  private static func arm(_ seconds: Double) {
    let whole = seconds.rounded(.down)
    var timer = itimerval()
    timer.it_value.tv_sec = Int(whole)
    // Not zero, which would mean never.
    timer.it_value.tv_usec = .init(seconds == 0 ? 0 : max((seconds - whole) * 1e6, 1))
    #if canImport(Glibc)
      unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    #else
      unsafe setitimer(ITIMER_REAL, &timer, nil)
    #endif
  }

  /// Only what a signal handler may do.
  private static func end() -> Never {
    unsafe _ = write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
    _exit(1)
  }
}
