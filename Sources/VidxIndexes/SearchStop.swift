import Synchronization
package import VidxSegments

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Tells a search whether it is to end before it is done. Asked by the thread that searches, between blocks of work of
/// a tenth of a millisecond or a few.
///
/// A C function and what it is called with: nothing that a search would have to allocate or to count references of.
/// What the context points to has to outlive the search.
@safe package struct SearchStop: @unchecked Sendable {
  // @unchecked: a batch on several threads has one of them ask (`SharedStop`).
  package typealias Ask = @convention(c) (UnsafeMutableRawPointer?) -> Int32

  private let ask: Ask
  private let context: UnsafeMutableRawPointer?

  /// - Parameter ask: anything but 0 ends the search.
  package init(context: UnsafeMutableRawPointer?, _ ask: @escaping Ask) {
    unsafe self.context = context
    unsafe self.ask = ask
  }

  package var isRequested: Bool { unsafe ask(context) != 0 }

  /// - Throws: `SegmentError.stopped`.
  package func check() throws(SegmentError) { if isRequested { throw .stopped } }
}

/// What ends a search makes no other search of it.
extension SearchStop: Equatable {
  package static func == (_: SearchStop, _: SearchStop) -> Bool { true }
}

/// One stop for the threads of a batch: that which began it asks, the others see what it was told.
@safe package final class SharedStop: @unchecked Sendable {
  // @unchecked: all but the flag is constant.
  private let asked: SearchStop
  private let owner = pthread_self()
  private let isOver = Atomic<Bool>(false)

  /// To be made by the thread that asks.
  package init(_ stop: SearchStop) { asked = stop }

  /// For all threads, as long as the object lives.
  package var stop: SearchStop {
    unsafe SearchStop(context: Unmanaged.passUnretained(self).toOpaque()) { context in
      guard let context = unsafe context else { return 0 }
      return unsafe Unmanaged<SharedStop>.fromOpaque(context).takeUnretainedValue().isRequested ? 1 : 0
    }
  }

  private var isRequested: Bool {
    if isOver.load(ordering: .relaxed) { return true }
    guard pthread_equal(owner, pthread_self()) != 0, asked.isRequested else { return false }
    isOver.store(true, ordering: .relaxed)
    return true
  }

  /// Runs the body with a stop that any of its threads may be given.
  package static func sharing<Result, Failure: Error>(
    _ stop: SearchStop?, _ body: (SearchStop?) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard let stop else { return try body(nil) }
    let shared = SharedStop(stop)
    defer { withExtendedLifetime(shared) {} }
    return try body(shared.stop)
  }
}
