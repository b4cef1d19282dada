import VidxVectors

/// Memory one inserting thread works in.
@safe final class BuildScratch: @unchecked Sendable {
  // @unchecked: one thread at a time.
  let search: SearchScratch
  /// The neighbours chosen in each layer, and how many they are.
  private let chosenMemory: UnsafeMutablePointer<Candidate>
  var chosenCounts: [Int]
  /// While they are being chosen, their vectors' ordinals.
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
    unsafe chosenMemory = .allocate(capacity: Self.capacity * (HNSWLevels.maximum + 1))
    chosenCounts = Array(repeating: 0, count: HNSWLevels.maximum + 1)
    unsafe chosenOrdinals = .allocate(capacity: Self.capacity)
    unsafe shortened = .allocate(capacity: Self.capacity)
    unsafe candidates = .allocate(capacity: Self.capacity)
    unsafe block = .allocate(capacity: Self.capacity)
    unsafe ordinals = .allocate(capacity: Self.capacity)
  }

  deinit {
    unsafe chosenMemory.deallocate()
    unsafe chosenOrdinals.deallocate()
    unsafe shortened.deallocate()
    unsafe candidates.deallocate()
    unsafe block.deallocate()
    unsafe ordinals.deallocate()
  }

  /// Where the neighbours chosen in a layer are kept.
  func chosen(in layer: Int) -> UnsafeMutablePointer<Candidate> { unsafe chosenMemory + layer * Self.capacity }
}
