import CVidxKernels
import VidxSegments
import VidxVectors

/// A graph of Malkov & Yashunin (arXiv 1603.09320), mapped from a segment. Immutable: any thread may search.
///
/// Nodes at the base are ordinals. Nodes above are numbered on their own ("upper nodes"), so that the few of them lie
/// together; `upperOrdinals` gives their vectors. Lists have a fixed length; unused places at their end are marked.
@safe final class HNSWGraph: Sendable {
  /// Marks an unused place in a list.
  static let unused = UInt32.max

  let parameters: HNSWParameters
  let vectorCount: Int
  let stride: Int
  let kernels: VectorKernels
  let vectors: Section
  let baseLinks: Section
  let upper: UpperLayers?
  /// What searches walk on.
  let layers: GraphLayers
  /// Which settings reach which recall; empty when nobody measured.
  let calibration: Calibration

  /// The sections of the layers above the base.
  struct UpperLayers: Sendable {
    /// Where the lists of each upper node start, in lists; layer 1 first.
    let starts: Section
    let links: Section
    let ordinals: Section
  }

  init(_ file: SegmentFile, vectors: Section, metric: Metric) throws(SegmentError) {
    let count = file.description.vectorCount
    vectorCount = count
    self.vectors = vectors
    stride = VectorLayout.stride(dimensions: file.description.dimensions)
    kernels = VectorKernels(metric)
    parameters = try HNSWParameters(
      file.section(.parameters, expecting: HNSWParameters.byteCount), vectorCount: count)
    let limit = UInt32(count)
    baseLinks = unsafe try file.section(.baseLinks, expecting: count * Int(parameters.baseDegree) * 4) { block, _ in
      unsafe Validation.allBelowOrUnused(limit, in: block)
    }
    calibration = try Calibration(file)
    guard parameters.upperCount > 0 else {
      upper = nil
      layers = GraphLayers(parameters, base: baseLinks, upper: nil)
      return
    }
    let nodes = parameters.upperCount
    let lists = parameters.upperListCount
    let upper = UpperLayers(
      starts: unsafe try file.section(.upperStarts, expecting: (Int(nodes) + 1) * 4) { block, offset in
        unsafe Validation.isAscending(block, at: offset, upTo: lists)
      },
      links: unsafe try file.section(.upperLinks, expecting: Int(lists) * Int(parameters.m) * 4) { block, _ in
        unsafe Validation.allBelowOrUnused(nodes, in: block)
      },
      ordinals: unsafe try file.section(.upperOrdinals, expecting: Int(nodes) * 4) { block, _ in
        unsafe Validation.allBelow(limit, in: block)
      })
    self.upper = upper
    layers = GraphLayers(parameters, base: baseLinks, upper: upper)
  }

  /// Scores scattered vectors; their blocks are verified when they are first touched.
  func score(
    _ query: UnsafePointer<Float>, _ ids: UnsafePointer<UInt32>, _ count: Int, _ out: UnsafeMutablePointer<Float>
  ) throws(SegmentError) {
    if !vectors.isVerified { unsafe try vectors.verify(rows: ids, count: count, rowByteCount: stride * 4) }
    let base = unsafe vectors.bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Float.self)
    unsafe kernels.ids(query, base, stride, ids, count, stride, out)
  }

  /// The linked ordinals of a base node.
  func baseNeighbours(_ ordinal: Int) throws(SegmentError) -> [UInt32] {
    try Self.list(baseLinks, ordinal, degree: Int(parameters.baseDegree))
  }

  /// How many layers above the base an upper node is in.
  func level(ofUpper node: Int) throws(SegmentError) -> Int {
    guard let upper else { return 0 }
    let start = try upper.starts.load(UInt32.self, at: node)
    let end = try upper.starts.load(UInt32.self, at: node + 1)
    guard start < end, end - start <= parameters.maxLevel else {
      throw .invalidContent(section: .upperStarts, offset: node * 4, path: upper.starts.path)
    }
    return Int(end - start)
  }

  /// The linked upper nodes of an upper node, in layer 1 and above.
  /// - Throws: `SegmentError.invalidContent` when one of them is not in that layer.
  func upperNeighbours(_ node: Int, level: Int) throws(SegmentError) -> [UInt32] {
    guard let upper else { return [] }
    let start = Int(try upper.starts.load(UInt32.self, at: node))
    let list = try Self.list(upper.links, start + level - 1, degree: Int(parameters.m))
    for other in list where try self.level(ofUpper: Int(other)) < level {
      throw .invalidContent(
        section: .upperLinks, offset: (start + level - 1) * Int(parameters.m) * 4, path: upper.links.path)
    }
    return list
  }

  private static func list(_ section: Section, _ index: Int, degree: Int) throws(SegmentError) -> [UInt32] {
    var result: [UInt32] = []
    for i in 0..<degree {
      let id = try section.load(UInt32.self, at: index * degree + i)
      if id == unused { break }
      result.append(id)
    }
    return result
  }
}
