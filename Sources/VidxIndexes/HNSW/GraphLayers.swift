import VidxSegments
import VidxVectors

/// The links of a graph as a search reads them: mapped from a segment, or in a builder's memory.
///
/// Nodes at the base are ordinals. Nodes above are numbered on their own ("upper nodes"), so that the few of them lie
/// together; `upperOrdinals` gives their vectors. Lists have a fixed length; unused places at their end are marked.
@safe struct GraphLayers: Sendable {
  let m: Int
  let baseDegree: Int
  /// The highest layer with a node in it; 0: there is only the base.
  let maxLevel: Int
  /// Where a search starts: an upper node when there are any, otherwise an ordinal.
  let entryPoint: Int
  let upperListCount: Int
  // Read only, and kept alive by whoever owns the sections or the buffers.
  nonisolated(unsafe) let base: UnsafePointer<UInt32>
  nonisolated(unsafe) let upper: Upper?
  /// What the links are mapped from, to be verified when they are first touched; nil for memory.
  let sections: Sections?
  /// Copies that live as long as the layers.
  private let memory: [AlignedBuffer]

  @safe struct Upper {
    /// Where the lists of each upper node start, in lists; layer 1 first.
    let starts: UnsafePointer<UInt32>
    let links: UnsafePointer<UInt32>
    let ordinals: UnsafePointer<UInt32>
  }

  struct Sections: Sendable {
    let base: Section
    let upper: HNSWGraph.UpperLayers?
  }

  var isBaseVerified: Bool { sections?.base.isVerified ?? true }

  @inline(never)
  func verifyBase(_ node: Int) throws(SegmentError) {
    let size = baseDegree * 4
    if let sections { try sections.base.verify(node * size..<(node + 1) * size) }
  }

  /// The upper layers are small (a 16th of the nodes): verified whole, once.
  func verifyUpper() throws(SegmentError) {
    guard let upper = sections?.upper, !upper.links.isVerified else { return }
    try upper.starts.verifyAll()
    try upper.ordinals.verifyAll()
    try upper.links.verifyAll()
  }

  /// Where the upper starts are, for an error.
  var upperPath: String { sections?.upper?.starts.path ?? "" }
}

extension GraphLayers {
  init(_ parameters: HNSWParameters, base: Section, upper: HNSWGraph.UpperLayers?) {
    m = Int(parameters.m)
    baseDegree = Int(parameters.baseDegree)
    maxLevel = Int(parameters.maxLevel)
    entryPoint = Int(parameters.entryPoint)
    upperListCount = Int(parameters.upperListCount)
    unsafe self.base = base.words
    unsafe self.upper = upper.map {
      unsafe Upper(starts: $0.starts.words, links: $0.links.words, ordinals: $0.ordinals.words)
    }
    sections = Sections(base: base, upper: upper)
    memory = []
  }

  /// The layers of a graph in memory.
  /// - Parameter base, upperLinks: must outlive the layers.
  init(
    _ parameters: HNSWParameters, base: UnsafePointer<UInt32>, upperLinks: UnsafePointer<UInt32>,
    upperStarts: [UInt32], upperOrdinals: [UInt32]
  ) {
    m = Int(parameters.m)
    baseDegree = Int(parameters.baseDegree)
    maxLevel = Int(parameters.maxLevel)
    entryPoint = Int(parameters.entryPoint)
    upperListCount = Int(parameters.upperListCount)
    unsafe self.base = base
    sections = nil
    let starts = AlignedBuffer(byteCount: upperStarts.count * 4)
    unsafe starts.words.update(from: upperStarts, count: upperStarts.count)
    let ordinals = AlignedBuffer(byteCount: upperOrdinals.count * 4)
    unsafe ordinals.words.update(from: upperOrdinals, count: upperOrdinals.count)
    memory = [starts, ordinals]
    unsafe upper =
      upperOrdinals.isEmpty ? nil : Upper(starts: starts.words, links: upperLinks, ordinals: ordinals.words)
  }
}
