import CVidxKernels
import Synchronization
import VidxVectors

/// Building in parts: PiPNN (arXiv 2602.21247) below the layers of HNSW.
///
/// Insertion asks the graph for the neighbours of each vector, a search of some thousand scores that wait for memory.
/// Here vectors are partitioned into leaves that overlap, all pairs of a leaf are scored as a matrix product, and links
/// are chosen from the nearest of each leaf. The vectors of upper layers are inserted first, as ever: their links hold
/// together at the base what no leaf has in common.
extension HNSWBuilder {
  /// Below this insertion, which gives a few more links for the same efSearch, takes less than a second.
  static let fewestForLeaves = 32_768

  /// Links all vectors, in leaves where this gives as good a graph, otherwise by insertion: without bytes, with a large
  /// efConstruction, and under inner products, where the leaders would be the longest vectors, not the nearest.
  /// - Parameter isScattered: vectors near each other lie side by side; see `scattered`.
  /// - Throws: `BuildError.cancelled`.
  func linkAll(isScattered: Bool, _ options: BuildOptions) throws(BuildError) {
    guard let bytes, let overlap = Self.overlap(configuration, vectorCount: vectorCount), !upperOrdinals.isEmpty else {
      return try insertAll(from: 0, isScattered: isScattered, options: options)
    }
    let (upper, members) = (upperOrdinals.count, overlap * vectorCount)
    let progress = ProgressCounter(total: upper + members + vectorCount, options: options)
    try insertAll(isScattered ? scattered(upperOrdinals) : upperOrdinals, besideLinked: 0, progress, options)
    let partition = LeafPartition(overlap: overlap, seed: configuration.seed, bytes: bytes)
    let leaves = try partition.leaves(count: vectorCount, options: options)
    let near = try LeafNeighbours(
      leaves, count: vectorCount, nearest: Self.nearestInLeaf(m: m), bytes, progress, options)
    // Leaves may have lost members that were twice in them.
    progress.add(members - leaves.reduce(0) { $0 + $1.count })
    try link(near.order, to: near, progress, options)
  }

  /// Chooses links of vectors among what is near to each, and links both ways.
  func link(
    _ order: [UInt32], to near: some LinkCandidates, _ progress: ProgressCounter, _ options: BuildOptions
  ) throws(BuildError) {
    let scratches = (0..<options.threads).map { BuildScratch(self, thread: $0) }
    let builder = self
    Parallel.chunks(order.count, chunk: 256, threads: options.threads) { worker, range in
      if options.isCancelled() { return }
      for i in range { builder.linkToNear(Int(order[i]), near, scratches[worker]) }
      progress.add(range.count)
    }
    options.work.addScores(scratches.reduce(0) { $0 + $1.scored })
    if options.isCancelled() { throw .cancelled }
  }

  /// How many leaves a vector is in; nil where leaves would not do.
  static func overlap(_ configuration: IndexConfiguration, vectorCount: Int) -> Int? {
    let metric = configuration.metric
    let overlap = overlap(efConstruction: configuration.efConstruction)
    guard metric == .cosine || metric == .l2, vectorCount >= fewestForLeaves, overlap <= mostOverlap,
      vectorCount <= Int(UInt32.max) / overlap
    else { return nil }
    return overlap
  }

  /// How many leaves a vector is in: 8 give the graph that insertion gives with efConstruction = 128, or a better one.
  static func overlap(efConstruction: Int) -> Int { max(4, (efConstruction + 8) / 16) }

  /// How many neighbours a vector takes of a leaf.
  static func nearestInLeaf(m: Int) -> Int { max(4, min(m * 5 / 8, ByteColumns.mostNearest)) }

  /// More leaves would take longer than insertion, and memory: who asks for so much gets insertion.
  static let mostOverlap = 24

  /// The most neighbours that links are chosen from: what a scratch has room for.
  private static let mostNear = 2 * nodesAtOnce * IndexLimits.m.upperBound

  /// Chooses links among what is near, by the heuristic of insertion, and links both ways.
  private func linkToNear(_ ordinal: Int, _ near: some LinkCandidates, _ scratch: BuildScratch) {
    let count = poolNear(ordinal, near, scratch)
    let pool = scratch.pool
    let exactly = isVague(pool, min(count, m), ordinal)
    if exactly { scoreExactly(ordinal, count, 0, scratch) }
    let chosen = select(pool, count, m, 0, exactly: exactly, into: scratch.chosen(in: 0), scratch)
    scratch.chosenCounts[0] = chosen
    makeRoom(ordinal, for: chosen, scratch)
    connect(ordinal, ordinal, 0, scratch)
  }

  /// Leaves what is near to a vector in the scratch's pool, sorted.
  /// - Returns: how many they are.
  private func poolNear(_ ordinal: Int, _ near: some LinkCandidates, _ scratch: BuildScratch) -> Int {
    let met = unsafe scratch.met
    let scores = unsafe scratch.block
    let found = unsafe near.gather(ordinal, met: scratch.visited, into: met, limit: Self.mostNear)
    unsafe score(ordinal, met, found, exactly: false, into: scores)
    scratch.scored &+= found
    var pool = unsafe scratch.pool.raw
    var spare = unsafe scratch.spare.raw
    var isSwapped = false
    var count = 0
    for start in Swift.stride(from: 0, to: found, by: Int(VIDX_POOL_BLOCK)) {
      let width = min(found - start, Int(VIDX_POOL_BLOCK))
      let place = unsafe scratch.merge(
        &pool, &count, Self.mostNear, scores + start, met + start, width, &spare)
      if place < Self.mostNear {
        unsafe swap(&pool, &spare)
        isSwapped.toggle()
      }
    }
    if isSwapped { scratch.swapPools() }
    return count
  }

  /// Shortens a list that the links of others have filled before the vector's own were chosen.
  private func makeRoom(_ ordinal: Int, for wanted: Int, _ scratch: BuildScratch) {
    let list = list(ordinal, 0)
    lock(ordinal)
    defer { unlock(ordinal) }
    let candidates = scratch.candidates
    var count = 0
    while count < list.degree {
      let id = unsafe list.links[count].load(ordering: .relaxed)
      if id == HNSWGraph.unused { break }
      unsafe candidates.ids[count] = id
      count += 1
    }
    if count + wanted <= list.degree { return }
    unsafe candidates.scores.update(from: list.scores, count: count)
    Self.sort(candidates, count, sorted: 1)
    let exactly = isVague(candidates, count, ordinal)
    let kept = select(
      candidates, count, list.degree - wanted, 0, exactly: exactly, into: scratch.shortened, scratch)
    unsafe list.scores.update(from: scratch.shortened.scores, count: kept)
    for i in 0..<list.degree {
      unsafe list.links[i].store(i < kept ? scratch.shortened.ids[i] : HNSWGraph.unused, ordering: .relaxed)
    }
    unsafe list.diverse.pointee = UInt16(kept)
  }
}

/// Where the links of vectors are chosen from. Any thread may ask.
protocol LinkCandidates: Sendable {
  /// Copies the vectors near to one to `ids`, each once, itself left out.
  /// - Parameter met: one bit a vector, all zero before and after.
  /// - Returns: how many there are, at most `limit`.
  func gather(
    _ ordinal: Int, met: UnsafeMutablePointer<UInt64>, into ids: UnsafeMutablePointer<UInt32>, limit: Int
  ) -> Int
}
