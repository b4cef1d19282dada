import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

struct DeltaCacheTests {
  private func put(_ cache: DeltaCache, _ rowID: Int64, _ vector: [Float]) throws(VectorError) {
    try unsafe cache.put(rowID, vector)
  }

  private func search(_ cache: DeltaCache, _ query: [Float], k: Int, filter: [Int64]? = nil) throws -> [Hit] {
    let prepared = try PreparedQuery(query, dimensions: cache.dimensions, metric: cache.metric)
    var nearest = TopK(k: k)
    var counters = SearchCounters()
    let passing = filter.map { cache.rows(among: $0).slots }
    try cache.search(prepared, passing: passing, nearest: &nearest, counters: &counters)
    let hits = nearest.sorted()
    var others = SearchCounters()
    var all = HitHeap(try cache.hits(prepared, passing: passing, counters: &others))
    #expect(counters == others)
    for hit in hits { #expect(all.pop() == hit) }
    return hits
  }

  /// Random puts and removals; sizes around the block of 256 that is scored at once.
  @Test(arguments: [Metric.cosine, .l2], [1, 15, 16, 17])
  func agreesWithBruteForce(metric: Metric, dimensions: Int) throws {
    var random = SplitMix(seed: 5)
    let cache = DeltaCache(dimensions: dimensions, metric: metric)
    var rows: [Int64: [Float]] = [:]
    for step in 0..<1_200 {
      let rowID = Int64.random(in: 0..<600, using: &random)
      if Int.random(in: 0..<4, using: &random) == 0 {
        cache.remove(rowID)
        rows[rowID] = nil
      } else {
        let isZero = Int.random(in: 0..<10, using: &random) == 0
        let vector = isZero ? [Float](repeating: 0, count: dimensions) : random.vector(dimensions)
        try put(cache, rowID, vector)
        rows[rowID] = vector
      }
      if step % 100 != 99 { continue }
      #expect(cache.count == rows.count)
      for filter in [nil, Array(Int64(0)...50), Array(Int64(0)...2000), []] {
        let query = random.vector(dimensions)
        let hits = try search(cache, query, k: 10, filter: filter)
        let found = hits.map { StoreHit(rowID: $0.rowID, distance: metric.distance(fromScore: $0.score)) }
        expect(found, are: neighbours(of: query, in: rows, metric, filter: filter), k: 10, rows, query, metric)
      }
    }
  }

  /// Puts, changes and removals between scans by codes: the answer is nearly always that of scoring every vector, and
  /// to the last bit where it has to be.
  @Test(arguments: [Metric.cosine, .l2, .innerProduct, .l1])
  func codesFindWhatVectorsDo(metric: Metric) throws {
    let dimensions = 96
    let data = TestVectors(count: 6_000, dimensions: dimensions, seed: 11)
    let queries = TestVectors(count: 6_000, dimensions: dimensions, seed: 11).rows
    var random = SplitMix(seed: 12)
    let cache = DeltaCache(dimensions: dimensions, metric: metric)
    var (found, wanted, byCodes, rescored) = (0, 0, 0, 0)
    for step in 0..<6_000 {
      let rowID = Int64.random(in: 0..<3_000, using: &random)
      if step % 5 == 4 { cache.remove(rowID) } else { try put(cache, rowID, data.rows[step]) }
      if step % 100 == 99 { cache.code(wholly: true) }
      if step % 200 != 150 { continue }
      let query = try PreparedQuery(queries[(step * 7) % 6_000], dimensions: dimensions, metric: metric)
      for (k, filter) in [(1, nil), (10, nil), (40, nil), (10, Array(Int64(500)...2_500)), (10, [7, 8, 9])] {
        let passing = filter.map { cache.rows(among: $0).slots }
        var all = SearchCounters()
        let expected = try cache.hits(query, passing: passing, counters: &all).sorted(by: Hit.isNearer)
        // With nothing found before, and with others as near as every other.
        for others in [[], stride(from: 1, to: min(2 * k, expected.count), by: 2).map { expected[$0] }] {
          let others = others.map { Hit(score: $0.score, rowID: $0.rowID + 10_000) }
          let best = Array((expected + others).sorted(by: Hit.isNearer).prefix(k))
          for mustBeExact in [false, true] {
            var nearest = TopK(k: k)
            for hit in others { nearest.offer(hit) }
            var counters = SearchCounters()
            try cache.search(
              query, passing: passing, mustBeExact: mustBeExact, nearest: &nearest, counters: &counters)
            let hits = nearest.sorted()
            #expect(counters.rowsScored == expected.count && hits.count == best.count)
            if mustBeExact || counters.reranked == 0 {
              #expect(hits == best && counters.bytesRead == all.bytesRead)
              continue
            }
            found += Set(hits.map(\.rowID)).intersection(best.map(\.rowID)).count
            wanted += best.count
            byCodes += expected.count
            rescored += counters.reranked
            #expect(counters.bytesRead < all.bytesRead * 3 / 4)
            #expect(counters.distanceComputations == expected.count + counters.reranked)
          }
        }
      }
    }
    if metric == .l1 {
      #expect(byCodes == 0)
    } else {
      #expect(byCodes > 100_000)
      #expect(found * 1_000 >= wanted * 998, "\(found) of \(wanted)")
      #expect(rescored < byCodes / 8, "\(rescored) of \(byCodes)")
    }
  }

  /// What is read anew is coded by the searches that follow, none of which waits for all of it.
  @Test func searchesCodeAPartEach() throws {
    let data = TestVectors(count: 4_000, dimensions: 64, seed: 3)
    let cache = DeltaCache(dimensions: 64, metric: .l2)
    for (i, vector) in data.rows.enumerated() { try put(cache, Int64(i), vector) }
    func coded() -> Int { cache.codes(scanning: 4_000, k: 10)?.count ?? 0 }
    #expect(coded() == 0)
    var parts: [Int] = []
    while coded() < 4_000 && parts.count < 100 {
      let before = coded()
      cache.code()
      parts.append(coded() - before)
    }
    #expect(coded() == 4_000)
    #expect(parts.first == 500 && parts.allSatisfy { $0 <= 500 } && parts.count < 40, "\(parts)")
    try put(cache, 4_000, data.rows[0])
    cache.code()
    #expect(coded() == 4_001)
  }

  /// Neither who has just waited for rows to be read, nor who asks for an exact answer, waits for codes of few rows.
  @Test func searchesCodeWhatOthersHaveRead() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL")
    let store = try IndexStore.make(connection, definition(64, metric: .l2, kind: .hnsw))
    let data = TestVectors(count: 2_000, dimensions: 64, seed: 9).rows
    func rows(_ range: Range<Int>) -> [Int64: [Float]] {
      Dictionary(uniqueKeysWithValues: range.map { (Int64($0), data[$0]) })
    }
    try store.addSegment(rows(0..<1_000))
    let writer = try IndexStore.open(database.open())
    try writer.add(rows(1_000..<1_600))
    func coded(exact: Bool = false) throws -> Int {
      var request = StoreRequest(query: data[0], k: 10)
      request.parameters.plan = .graph
      request.parameters.exact = exact
      if exact { request.parameters.plan = nil }
      let answer = try store.search(request)
      #expect((answer.plan == .exact) == exact)
      return store.delta?.cache.codes(scanning: 600, k: 10)?.count ?? 0
    }
    #expect(try coded(exact: true) == 0)
    #expect(try coded() == 75)
    var searches = 0
    while try coded() < 600 && searches < 100 { searches += 1 }
    try writer.add(rows(1_600..<1_620))
    #expect(try coded() == 600, "it has read them")
    #expect(try coded(exact: true) == 600)
    #expect(try coded() == 616)
    #expect(try coded() == 620)
  }

  @Test func aRefusedVectorLeavesTheRowAsItWas() throws {
    let cache = DeltaCache(dimensions: 2, metric: .cosine)
    try put(cache, 1, [3, 4])
    #expect(throws: VectorError.notFinite(index: 1)) { try put(cache, 1, [0, .nan]) }
    let huge = Float.greatestFiniteMagnitude
    #expect(throws: VectorError.tooLarge) { try put(cache, 1, [huge, huge]) }
    #expect(throws: VectorError.tooLarge) { try put(cache, 2, [huge, huge]) }
    #expect(cache.count == 1)
    #expect(try search(cache, [3, 4], k: 1) == [Hit(score: -1, rowID: 1)])
  }

  @Test func aHeapHandsOutEverythingInOrder() {
    var random = SplitMix(seed: 3)
    for count in [0, 1, 2, 3, 7, 100] {
      let hits = (0..<count).map { Hit(score: Float(Int.random(in: 0..<10, using: &random)), rowID: Int64($0)) }
      var heap = HitHeap(hits)
      #expect(hits.sorted(by: Hit.isNearer).allSatisfy { heap.pop() == $0 })
      #expect(heap.pop() == nil)
    }
  }

  @Test func aRevisionReadsBackAsWritten() {
    let revision = Revision(token: 1, deltaMark: .max, settledMark: 0x0102_0304_0506_0708, stamp: 5)
    #expect(unsafe revision.withBytes { unsafe Revision($0) } == revision)
    #expect(unsafe revision.withBytes { unsafe Revision(UnsafeRawBufferPointer(rebasing: $0.dropLast())) } == nil)
    let next = revision.next()
    #expect(next.token != revision.token && next.stamp == 6)
    #expect(next.deltaMark == revision.deltaMark && next.settledMark == revision.settledMark)
    // Nothing counts to these.
    for stamp in [-1, Int64.min, 1 << 62, .max] {
      var impossible = revision
      impossible.stamp = stamp
      #expect(unsafe impossible.withBytes { unsafe Revision($0) } == nil)
    }
  }
}
