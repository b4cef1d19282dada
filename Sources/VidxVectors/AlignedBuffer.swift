#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Owner of uninitialised memory, aligned for vector loads; not thread safe, the owner decides who writes.
///
/// Buffers of 4 MiB and more are aligned to huge pages and ask for them: random access over many megabytes is
/// otherwise bound by address translation (docs/decisions/0001-graph-search.md).
@safe package final class AlignedBuffer: @unchecked Sendable {
  // @unchecked: the pointer is constant and the memory lives as long as the object; writers are the owner's business.
  package let bytes: UnsafeMutableRawPointer
  package let byteCount: Int

  private static let hugePage = 2 << 20
  private static let hugeThreshold = 4 << 20

  /// - Parameter zeroed: fill with zero bytes (large buffers come zeroed from the system and are not touched).
  package init(byteCount: Int, zeroed: Bool = false) {
    let size = max(byteCount, 64)
    self.byteCount = byteCount
    if size >= Self.hugeThreshold {
      // Reserve one huge page more than needed, so that the start can be moved to a boundary.
      let map = unsafe mmap(nil, size + Self.hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
      guard let map = unsafe map, unsafe map != MAP_FAILED else {
        fatalError("out of memory: \(size) bytes asked for; lower --threads or build a smaller index")
      }
      let address = UInt(bitPattern: map)
      let aligned = (address + UInt(Self.hugePage) - 1) & ~UInt(Self.hugePage - 1)
      unsafe base = map
      mappedBytes = size + Self.hugePage
      unsafe bytes = map + Int(aligned - address)
      #if os(Linux)
        // Advice only: without huge pages the buffer works, slower.
        _ = unsafe madvise(bytes, size, 14)  // MADV_HUGEPAGE, absent from the Glibc module
      #endif
    } else {
      unsafe base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      mappedBytes = 0
      unsafe bytes = base
      if zeroed { unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0, count: size) }
    }
  }

  deinit {
    if mappedBytes > 0 { unsafe _ = munmap(base, mappedBytes) } else { unsafe base.deallocate() }
  }

  private let base: UnsafeMutableRawPointer
  private let mappedBytes: Int

  /// The buffer seen as floats.
  package var floats: UnsafeMutablePointer<Float> { unsafe bytes.assumingMemoryBound(to: Float.self) }

  /// The buffer seen as 32-bit words.
  package var words: UnsafeMutablePointer<UInt32> { unsafe bytes.assumingMemoryBound(to: UInt32.self) }
}
