import CVidxKernels
import VidxVectors

/// Byte rows packed so that many others are scored against all of them at once (CVidxBytes.h).
///
/// Memory: for each column the row's bytes and 12 more.
@safe final class ByteColumns: @unchecked Sendable {
  // @unchecked: whoever packs has it alone; then it is only read.
  static let capacity = Int(VIDX_BYTE_COLUMNS)
  /// The most neighbours that `nearest` gives.
  static let mostNearest = Int(VIDX_BYTE_NEAREST)
  private static let panel = Int(VIDX_BYTE_PANEL)
  private static let width = Int(VIDX_BYTE_WIDTH)

  private let bytes: ByteRows
  private let kernels: UnsafePointer<vidx_bytes>
  private let codes: AlignedBuffer
  private let factors: AlignedBuffer
  private let columns: UnsafeMutablePointer<vidx_byte_columns>

  /// - Parameter capacity: the most rows that will be packed, up to `Self.capacity`.
  init(_ bytes: ByteRows, capacity: Int) {
    self.bytes = bytes
    let room = (capacity + Self.width - 1) / Self.width * Self.width
    codes = unsafe AlignedBuffer(byteCount: room * bytes.rows.pointee.stride)
    factors = AlignedBuffer(byteCount: room * 12)
    unsafe kernels = vidx_bytes_active()
    unsafe columns = .allocate(capacity: 1)
    let floats = unsafe factors.floats
    unsafe columns.initialize(
      to: vidx_byte_columns(
        codes: codes.bytes.assumingMemoryBound(to: UInt8.self), adds: floats, scales: floats + room,
        sums: UnsafeMutableRawPointer(floats + 2 * room).assumingMemoryBound(to: Int32.self), count: 0))
  }

  deinit { unsafe columns.deallocate() }

  func pack(_ ids: UnsafePointer<UInt32>, _ count: Int) {
    unsafe kernels.pointee.pack(bytes.rows, ids, count, columns)
  }

  /// The columns nearest to each of some rows.
  /// - Parameters:
  ///   - areColumns: the rows are the columns, in the same order: none is its own neighbour.
  ///   - found: called with the position of a row in `ids`, and the places of its nearest columns, nearest first: `k`
  ///     of them, or as many as there are.
  /// - Complexity: O(count x columns x dimensions), at the rate of a matrix product.
  @inline(never)
  func nearest(
    _ ids: UnsafePointer<UInt32>, _ count: Int, k: Int, areColumns: Bool, _ scratch: PanelScratch,
    _ found: (Int, UnsafePointer<UInt32>, Int) -> Void
  ) {
    let kernels = unsafe self.kernels.pointee
    let width = unsafe (columns.pointee.count + Self.width - 1) / Self.width * Self.width
    let scores = unsafe scratch.scores
    let places = unsafe scratch.places
    var first = 0
    while first < count {
      let some = min(Self.panel, count &- first)
      unsafe kernels.panel(bytes.rows, ids + first, some, columns, scores)
      for row in 0..<some {
        let own = unsafe scores + row &* width
        if areColumns { unsafe own[first &+ row] = .infinity }
        let near = unsafe kernels.nearest(own, width, k, places)
        unsafe found(first &+ row, places, near)
      }
      first &+= some
    }
  }

  /// Memory of one thread: the scores of a panel, and the places of one row.
  @safe final class PanelScratch: @unchecked Sendable {
    // @unchecked: one thread at a time.
    private let memory = AlignedBuffer(byteCount: ByteColumns.panel * ByteColumns.capacity * 4)
    private let placeMemory = AlignedBuffer(byteCount: ByteColumns.mostNearest * 4)
    var scores: UnsafeMutablePointer<Float> { unsafe memory.floats }
    var places: UnsafeMutablePointer<UInt32> { unsafe placeMemory.words }
  }
}
