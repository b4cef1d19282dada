import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// A scan of codes for each of many queries.
  func scans(of queries: [PreparedQuery], k: Int, filter: EntryFilter?, mustBeExact: Bool) -> [CodedScan] {
    queries.map { CodedScan(self, $0, CodedQuery(coded.space), k: k, filter: filter, mustBeExact: mustBeExact) }
  }

  /// Looks at a run of vectors for some scans, by number: each block is fetched once and scored for all of them from
  /// the cache.
  func scan(
    _ ordinals: Range<Int>, _ scans: [CodedScan], _ numbers: [UInt32], _ scratch: SearchScratch
  ) throws(SegmentError) {
    var rest = ordinals
    while !rest.isEmpty {
      let block = rest.lowerBound..<min(rest.lowerBound + SearchScratch.blockCapacity, rest.upperBound)
      for number in numbers { _ = try scans[Int(number)].scan(block, scratch) }
      rest = block.upperBound..<rest.upperBound
    }
  }
}
