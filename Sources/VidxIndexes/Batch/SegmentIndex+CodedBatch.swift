import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// A scan of codes for each of many queries.
  /// - Parameter room: candidates that they may hold memory for together.
  func scans(
    of queries: [PreparedQuery], k: Int, filter: EntryFilter?, mustBeExact: Bool, room: Int = CodedBatch.mostRoom
  ) -> CodedBatch {
    CodedBatch(
      self,
      queries.map {
        CodedScan(self, $0, CodedQuery(coded.space), ScanMemory(), k: k, filter: filter, mustBeExact: mustBeExact)
      },
      isFiltered: (filter?.ordinalCount ?? vectorCount) < vectorCount, room: room)
  }

  /// The hits of a scan that is over; its memory is given back.
  func collect(
    _ scan: CodedScan, k: Int, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    defer { scan.release() }
    return unsafe try collect(k: k) { (hits) throws(SegmentError) in
      unsafe try scan.finish(into: hits, scratch, &counters)
    }
  }
}
