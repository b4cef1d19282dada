// Stands in until IVF lands; "ivf" deletes this file.
import VidxSegments
import VidxVectors

final class IVFLists: Sendable {
  let listCount = 0
  let seed: UInt64 = 0
  init(_ file: SegmentFile, metric: Metric) throws(SegmentError) {
    throw .missingSection(section: .centroids, path: file.path)
  }
  func problems() throws(SegmentError) -> [String] { [] }
}
struct IVFBuilder {
  let order: [UInt32]
  init(_ distinct: DistinctVectors, base: IVFLists?, options: BuildOptions) throws { order = [] }
  func write(to writer: inout SegmentWriter) throws(SegmentError) {}
}
extension SegmentIndex {
  func searchLists(
    _ lists: IVFLists, _ query: PreparedQuery, k: Int, probes: Int?, filter: EntryFilter?,
    counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentAnswer {
    SegmentAnswer(hits: try searchExact(query, k: k, filter: filter, counters: &counters), plan: .exact)
  }
  func listsStream(_ lists: IVFLists, _ query: PreparedQuery, probes: Int?) -> any SegmentStream.Source {
    ExactStream(self, query, nil)
  }
}
