import Synchronization

/// A few objects to reuse: slots swapped atomically, no lock. What does not fit is let go.
package final class ObjectPool<Object: AnyObject>: Sendable {
  private let slot0 = Atomic<UInt>(0)
  private let slot1 = Atomic<UInt>(0)
  private let slot2 = Atomic<UInt>(0)
  private let slot3 = Atomic<UInt>(0)

  package init() {}

  deinit {
    for slot in [
      slot0.load(ordering: .acquiring), slot1.load(ordering: .acquiring), slot2.load(ordering: .acquiring),
      slot3.load(ordering: .acquiring),
    ] {
      _ = Self.object(slot)
    }
  }

  /// - Returns: an object that nobody else has; nil when there is none.
  package func take() -> Object? {
    Self.object(slot0.exchange(0, ordering: .acquiringAndReleasing))
      ?? Self.object(slot1.exchange(0, ordering: .acquiringAndReleasing))
      ?? Self.object(slot2.exchange(0, ordering: .acquiringAndReleasing))
      ?? Self.object(slot3.exchange(0, ordering: .acquiringAndReleasing))
  }

  /// Takes over an object that the caller uses no more.
  package func give(_ object: Object) {
    let bits = UInt(bitPattern: unsafe Unmanaged.passRetained(object).toOpaque())
    if slot0.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    if slot1.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    if slot2.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    if slot3.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    _ = Self.object(bits)
  }

  /// Takes over the reference a slot held.
  private static func object(_ bits: UInt) -> Object? {
    guard let pointer = unsafe UnsafeMutableRawPointer(bitPattern: bits) else { return nil }
    return unsafe Unmanaged<Object>.fromOpaque(pointer).takeRetainedValue()
  }
}
