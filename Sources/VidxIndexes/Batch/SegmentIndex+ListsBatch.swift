import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// `searchLists` for many queries: which lists a query scans depends on their sizes only, so all is known before the
  /// first vector is scored, and each list is read once for all queries that scan it.
  /// - Parameter room: candidates that scans of codes may hold memory for together.
  func searchLists(
    _ lists: IVFLists, _ queries: [PreparedQuery], k: Int, probes asked: Int?, filter: EntryFilter?,
    stop: SearchStop? = nil, room: Int = CodedBatch.mostRoom
  ) throws(SegmentError) -> [BatchAnswer] {
    let scratch = self.scratch.take(stop)
    defer { self.scratch.give(scratch) }
    let visits = try visits(lists, queries, k: k, probes: asked, filter, scratch)
    if !coded.areScanned {
      let tile = QueryTile(self, queries, k: k, filter: filter, stop)
      try visits.forEach { (list, visitors) throws(SegmentError) in
        try tile.score(lists.ordinals(of: list), visitors)
      }
      return zip(tile.nearest, visits.plans).map { nearest, plan in
        BatchAnswer(answer: SegmentAnswer(hits: nearest.sorted(), plan: plan.plan), counters: plan.counters)
      }
    }
    let batch = scans(of: queries, k: k, filter: filter, mustBeExact: false, room: room)
    try visits.forEach { (list, visitors) throws(SegmentError) in
      try batch.scan(lists.ordinals(of: list), visitors, scratch)
    }
    var answers: [BatchAnswer] = []
    for (number, plan) in visits.plans.enumerated() {
      if batch.isAside[number] {
        answers.append(try searchAlone(queries[number], k: k, probes: asked, filter: filter, stop))
        continue
      }
      var counters = plan.counters
      let hits = try batch.hits(number, k: k, scratch, &counters)
      answers.append(BatchAnswer(answer: SegmentAnswer(hits: hits, plan: plan.plan), counters: counters))
    }
    return answers
  }

  /// Plans as `searchLists` for one query goes: it holds as many hits as it has met rows, k at most.
  private func visits(
    _ lists: IVFLists, _ queries: [PreparedQuery], k: Int, probes asked: Int?, _ filter: EntryFilter?,
    _ scratch: SearchScratch
  ) throws(SegmentError) -> ListVisits {
    let sizes = ListSizes(self, lists, filter)
    let probes = lists.clampedProbes(asked)
    let passing = filter?.ordinalCount ?? vectorCount
    let wanted = filter == nil ? 0 : vectorCount * probes / lists.listCount / 2
    var visits = ListVisits(lists: lists.listCount)
    for (number, query) in queries.enumerated() {
      var counters = SearchCounters()
      var queue = try lists.rank(query, scratch, &counters)
      var probed = 0
      var scored = 0
      while scored < passing, probed < probes || counters.rowsScored < k || scored < wanted,
        let list = queue.pop(&counters)
      {
        let size = try sizes.of(list)
        if size.vectors == 0 { continue }
        probed += 1
        scored += size.vectors
        counters.rowsScored += size.rows
        visits.append(number, list, isFirst: probed == 1 && coded.areScanned)
      }
      counters.listsProbed += probed
      let isExact = scored >= passing && coded.areListsCertain
      if !coded.areScanned { counters.add(scores: scored, rowBytes: configuration.vectorBytes) }
      visits.plans.append((counters, isExact ? .exact : .lists))
    }
    return visits
  }
}

/// Which queries, by number, scan which lists.
private struct ListVisits {
  var plans: [(counters: SearchCounters, plan: SegmentPlan)] = []
  /// Of codes, each query scans its nearest list first: what that excludes need not be kept of all others.
  private var first: [[UInt32]]
  private var others: [[UInt32]]

  init(lists: Int) {
    first = Array(repeating: [], count: lists)
    others = first
  }

  mutating func append(_ query: Int, _ list: Int, isFirst: Bool) {
    if isFirst { first[list].append(UInt32(query)) } else { others[list].append(UInt32(query)) }
  }

  /// Hands out each list with those that scan it, and lists that are the first of some with these before all.
  func forEach(_ body: (Int, [UInt32]) throws(SegmentError) -> Void) throws(SegmentError) {
    for list in first.indices where !first[list].isEmpty { try body(list, first[list]) }
    for list in others.indices where !others[list].isEmpty { try body(list, others[list]) }
  }
}

extension SegmentIndex {
  /// For a query that a batch has no room for.
  private func searchAlone(
    _ query: PreparedQuery, k: Int, probes: Int?, filter: EntryFilter?, _ stop: SearchStop?
  ) throws(SegmentError) -> BatchAnswer {
    var counters = SearchCounters()
    var parameters = SearchParameters(probes: probes)
    parameters.stop = stop
    let answer = try search(query, k: k, parameters: parameters, filter: filter, counters: &counters)
    return BatchAnswer(answer: answer, counters: counters)
  }
}

/// How much of each list passes a filter, worked out once.
private final class ListSizes {
  private let index: SegmentIndex
  private let lists: IVFLists
  private let filter: EntryFilter?
  private var known: [(vectors: Int, rows: Int)?]

  init(_ index: SegmentIndex, _ lists: IVFLists, _ filter: EntryFilter?) {
    self.index = index
    self.lists = lists
    self.filter = filter
    known = Array(repeating: nil, count: lists.listCount)
  }

  func of(_ list: Int) throws(SegmentError) -> (vectors: Int, rows: Int) {
    if let size = known[list] { return size }
    let ordinals = try lists.ordinals(of: list)
    var size = (vectors: 0, rows: 0)
    if !ordinals.isEmpty {
      size.vectors = filter?.ordinals.count(in: ordinals) ?? ordinals.count
      size.rows = try index.passingRows(ordinals, filter)
    }
    known[list] = size
    return size
  }
}
