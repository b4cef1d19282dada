import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// A scan of codes for each of many queries.
  /// - Parameter room: candidates that they may hold memory for together.
  func scans(
    of queries: [PreparedQuery], k: Int, filter: EntryFilter?, mustBeExact: Bool, room: Int = CodedBatch.mostRoom
  ) -> CodedBatch {
    let memory = batches.take() ?? BatchMemory(coded)
    memory.reserve(queries.count)
    let scans = queries.enumerated().map { number, query in
      CodedScan(
        self, query, memory.queries[number], memory.scans[number], k: k, filter: filter, mustBeExact: mustBeExact)
    }
    let passing = (filter?.ordinalCount ?? vectorCount) < vectorCount ? filter?.ordinals : nil
    return CodedBatch(self, scans, memory, passing: passing, room: room)
  }
}
