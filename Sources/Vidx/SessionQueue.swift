internal import Dispatch
internal import Synchronization

/// Whether the task that asked for some work has been cancelled. Sendable: set by one thread, asked by others.
final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)

  var isRequested: Bool { flag.load(ordering: .relaxed) }

  func request() { flag.store(true, ordering: .relaxed) }
}

/// A session and the serial queue on which alone it is used: blocking work stays off the threads of Swift's tasks.
final class SessionQueue: @unchecked Sendable {
  // @unchecked: `session` is touched on `queue` only.
  private let queue: DispatchQueue
  private let open: @Sendable () throws(VidxError) -> Session
  private var session: Session?

  /// - Parameter open: called on the queue at the first work.
  init(label: String, open: @escaping @Sendable () throws(VidxError) -> Session) {
    queue = DispatchQueue(label: label)
    self.open = open
  }

  /// Runs the body on the queue. Cancelling the task sets the `Cancellation`; what the body makes of it is its own
  /// business.
  func run<Result: Sendable>(
    _ body: @escaping @Sendable (Session, Cancellation) throws -> Result
  ) async throws(VidxError) -> Result {
    let cancellation = Cancellation()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        queue.async { continuation.resume(returning: self.perform(body, cancellation)) }
      }
    } onCancel: {
      cancellation.request()
    }
    return try result.get()
  }

  private func perform<Value: Sendable>(
    _ body: (Session, Cancellation) throws -> Value, _ cancellation: Cancellation
  ) -> Result<Value, VidxError> {
    do throws(VidxError) {
      if cancellation.isRequested { throw VidxError(.cancelled, "cancelled before it began; nothing was changed") }
      let session = try openedSession()
      return .success(try wrappingErrors { try body(session, cancellation) })
    } catch { return .failure(error) }
  }

  private func openedSession() throws(VidxError) -> Session {
    if let session { return session }
    let opened = try open()
    session = opened
    return opened
  }
}
