private import CVidxKernels
import VidxSegments

/// A section seen as an array, for many reads in a row: whether all of it has been verified is asked once.
@safe struct SectionReader<Element: BitwiseCopyable> {
  private let section: Section
  private let base: UnsafeRawBufferPointer
  /// Elements that may be read without looking further: all, or none before the section has been verified.
  private let readyCount: Int

  init(_ section: Section) {
    self.section = section
    unsafe base = section.bytes
    readyCount = section.isVerified ? section.byteCount / MemoryLayout<Element>.stride : 0
  }

  /// - Throws: as `Section.load`.
  @inline(__always)
  func at(_ index: Int) throws(SegmentError) -> Element {
    guard index >= 0, index < readyCount else { return try section.load(Element.self, at: index) }
    return unsafe base.baseAddress.unsafelyUnwrapped.loadUnaligned(
      fromByteOffset: index &* MemoryLayout<Element>.stride, as: Element.self)
  }

  /// Has an element fetched that will be read soon, verified or not.
  @inline(__always)
  func prefetch(_ index: Int) {
    let offset = index &* MemoryLayout<Element>.stride
    guard index >= 0, unsafe offset < base.count, let start = unsafe base.baseAddress else { return }
    unsafe vidx_prefetch(start + offset)
  }
}
