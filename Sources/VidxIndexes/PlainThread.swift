#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A POSIX thread that runs a body, to be waited for.
// @unchecked: the handle says which thread it is, to whoever waits for it.
@safe package struct PlainThread: @unchecked Sendable {
  private let handle: pthread_t

  /// - Parameter leavesSignals: signals from outside are for the other threads of the process.
  /// - Returns: nil when there is no thread to be had.
  package init?(leavesSignals: Bool = false, _ body: @escaping @Sendable () -> Void) {
    let start = unsafe Unmanaged.passRetained(Start(body))
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
        unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().body()
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

  /// A new thread blocks what the one that makes it does. Faults are of the thread that runs into them.
  private static func blockSignals(_ before: inout sigset_t) {
    var signals = sigset_t()
    unsafe sigfillset(&signals)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP] { unsafe sigdelset(&signals, fault) }
    unsafe pthread_sigmask(SIG_SETMASK, &signals, &before)
  }

  private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
