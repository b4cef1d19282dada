import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Set by the first Ctrl-C (or SIGTERM); long work asks it and rolls back. A second one ends the process at once, which
/// is safe too: what is not committed is not visible.
private let interrupted = Atomic<Bool>(false)

enum Interruption {
  static var isRequested: Bool { interrupted.load(ordering: .relaxed) }

  /// Turns Ctrl-C from the end of the process into a request.
  static func listen() {
    // Touched here so that the handler never runs the initialiser.
    interrupted.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        interrupted.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
    // Whoever started us may have left them blocked, as threads of libdispatch do.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] { unsafe sigaddset(&signals, number) }
    unsafe sigprocmask(SIG_UNBLOCK, &signals, nil)
  }
}
