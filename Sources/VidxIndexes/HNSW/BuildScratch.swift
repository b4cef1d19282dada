import VidxVectors

/// Memory one inserting thread works in.
@safe final class BuildScratch: @unchecked Sendable {
  // @unchecked: one thread at a time.
  let search: SearchScratch
  /// The neighbours chosen: nodes, their vectors' ordinals, their scores.
  let chosen: UnsafeMutablePointer<Candidate>
  let chosenOrdinals: UnsafeMutablePointer<UInt32>
  /// A second set, for shortening the list of a neighbour.
  let shortened: UnsafeMutablePointer<Candidate>
  let candidates: UnsafeMutablePointer<Candidate>
  let block: UnsafeMutablePointer<Float>
  /// Ordinals of a block of upper nodes.
  let ordinals: UnsafeMutablePointer<UInt32>
  private static let capacity = SearchScratch.blockCapacity + 8

  init(_ builder: HNSWBuilder) {
    search = SearchScratch(vectorCount: builder.vectorCount)
    search.reservePool(builder.configuration.efConstruction)
    unsafe chosen = .allocate(capacity: Self.capacity)
    unsafe chosenOrdinals = .allocate(capacity: Self.capacity)
    unsafe shortened = .allocate(capacity: Self.capacity)
    unsafe candidates = .allocate(capacity: Self.capacity)
    unsafe block = .allocate(capacity: Self.capacity)
    unsafe ordinals = .allocate(capacity: Self.capacity)
  }

  deinit {
    unsafe chosen.deallocate()
    unsafe chosenOrdinals.deallocate()
    unsafe shortened.deallocate()
    unsafe candidates.deallocate()
    unsafe block.deallocate()
    unsafe ordinals.deallocate()
  }
}
