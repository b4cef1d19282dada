#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A POSIX thread that runs a body, to be waited for.
// @unchecked: the handle says which thread it is, to whoever waits for it.
@safe package struct PlainThread: @unchecked Sendable {
  private let handle: pthread_t

  /// - Parameters:
  ///   - leavesSignals: signals from outside are for the other threads of the process.
  ///   - isPolite: it, and the threads that it starts, leave the processors to others that want them, all but a tenth.
  /// - Returns: nil when there is no thread to be had.
  package init?(leavesSignals: Bool = false, isPolite: Bool = false, _ body: @escaping @Sendable () -> Void) {
    let start = unsafe Unmanaged.passRetained(Start(body, isPolite: isPolite))
    #if os(Linux)
      var handle = pthread_t()
    #else
      var handle: pthread_t?
    #endif
    var before = sigset_t()
    if leavesSignals { Self.blockSignals(&before) }
    let status = unsafe pthread_create(
      &handle, nil,
      { argument in
        #if os(Linux)
          let raw = unsafe argument!
        #else
          let raw = argument
        #endif
        unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().run()
        return nil
      }, start.toOpaque())
    if leavesSignals { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    guard status == 0 else {
      unsafe start.release()
      return nil
    }
    #if os(Linux)
      self.handle = handle
    #else
      guard let handle else { return nil }
      self.handle = handle
    #endif
  }

  package func join() { pthread_join(handle, nil) }

  /// Of the calling thread. That cannot be taken back without privileges: hence threads of their own.
  private static func lowerPriority() {
    #if os(Linux)
      // There, 0 is the thread, not the process; one that has less already keeps it.
      let process = __priority_which_t(PRIO_PROCESS.rawValue)
      errno = 0
      let now = getpriority(process, 0)
      if errno == 0 { setpriority(process, 0, max(now, 10)) }
    #else
      pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0)
    #endif
  }

  /// A new thread blocks what the one that makes it does. Faults are of the thread that runs into them.
  private static func blockSignals(_ before: inout sigset_t) {
    var signals = sigset_t()
    unsafe sigfillset(&signals)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP] { unsafe sigdelset(&signals, fault) }
    unsafe pthread_sigmask(SIG_SETMASK, &signals, &before)
  }

  private final class Start: Sendable {
    private let body: @Sendable () -> Void
    private let isPolite: Bool

    init(_ body: @escaping @Sendable () -> Void, isPolite: Bool) {
      self.body = body
      self.isPolite = isPolite
    }

    func run() {
      if isPolite { lowerPriority() }
      body()
    }
  }
}
