import Synchronization
import VidxSegments
import VidxVectors

extension HNSWBuilder {
  var parameters: HNSWParameters {
    let start = entry.load(ordering: .acquiring)
    let isEmpty = start == Self.noEntry
    return HNSWParameters(
      m: UInt32(m), baseDegree: UInt32(baseDegree), efConstruction: UInt32(configuration.efConstruction),
      maxLevel: isEmpty ? 0 : UInt32(start >> 32), entryPoint: isEmpty ? 0 : UInt32(start & 0xFFFF_FFFF),
      upperCount: UInt32(upperOrdinals.count), upperListCount: upperStarts[upperStarts.count - 1],
      seed: configuration.seed)
  }

  /// Writes the sections of a finished graph.
  /// - Parameter order: the vector at each place in the file; nil for their own order.
  func write(order: [UInt32]?, to writer: inout SegmentWriter) throws(SegmentError) {
    let renumbered = order.map { Renumbered(self, $0) }
    var parameters = self.parameters
    if let renumbered { parameters.entryPoint = renumbered.entryPoint(parameters) }
    try writer.write(.parameters, parameters.encoded)
    try writer.begin(.baseLinks)
    unsafe try append(
      renumbered?.baseRows, count: vectorCount, from: baseLinks, degree: baseDegree, renumbered?.places, &writer)
    if upperOrdinals.isEmpty { return }
    try writer.write(.upperOrdinals, renumbered?.upperOrdinals ?? upperOrdinals)
    try writer.write(.upperStarts, renumbered?.upperStarts ?? upperStarts)
    try writer.begin(.upperLinks)
    unsafe try append(
      renumbered?.upperRows, count: Int(upperStarts[upperStarts.count - 1]), from: upperLinks, degree: m,
      renumbered?.upperPlaces, &writer)
  }

  /// Writes lists of links.
  /// - Parameters:
  ///   - rows: which list comes at each place; nil for their own order.
  ///   - places: the number of each node in the file.
  private func append(
    _ rows: [UInt32]?, count: Int, from links: Links, degree: Int, _ places: [UInt32]?, _ writer: inout SegmentWriter
  ) throws(SegmentError) {
    guard let rows, let places else {
      return unsafe try writer.append(UnsafeRawBufferPointer(start: links, count: count * degree * 4))
    }
    let part = max(1, (1 << 20) / degree)
    var buffer: [UInt32] = []
    buffer.reserveCapacity(part * degree)
    for start in Swift.stride(from: 0, to: count, by: part) {
      buffer.removeAll(keepingCapacity: true)
      for row in rows[start..<min(start + part, count)] {
        for i in 0..<degree {
          let id = unsafe links[Int(row) * degree + i].load(ordering: .relaxed)
          buffer.append(id == HNSWGraph.unused ? id : places[Int(id)])
        }
      }
      let outcome = unsafe buffer.withUnsafeBytes { bytes in
        Result { () throws(SegmentError) in unsafe try writer.append(bytes) }
      }
      try outcome.get()
    }
  }

  /// The numbers of nodes and the order of lists when vectors change their places.
  private struct Renumbered {
    /// The place of each vector, of each upper node.
    let places: [UInt32]
    let upperPlaces: [UInt32]
    let baseRows: [UInt32]
    /// The list of links at each place, layer by layer of one upper node after the other.
    let upperRows: [UInt32]
    let upperOrdinals: [UInt32]
    let upperStarts: [UInt32]

    init(_ builder: HNSWBuilder, _ order: [UInt32]) {
      var places = [UInt32](repeating: 0, count: order.count)
      for (place, vector) in order.enumerated() { places[Int(vector)] = UInt32(place) }
      self.places = places
      baseRows = order
      // Upper nodes ascend by their vectors' places.
      let nodes = builder.upperOrdinals.indices.sorted {
        places[Int(builder.upperOrdinals[$0])] < places[Int(builder.upperOrdinals[$1])]
      }
      var upperPlaces = [UInt32](repeating: 0, count: nodes.count)
      var rows: [UInt32] = []
      var starts: [UInt32] = [0]
      for (place, node) in nodes.enumerated() {
        upperPlaces[node] = UInt32(place)
        rows += builder.upperStarts[node]..<builder.upperStarts[node + 1]
        starts.append(UInt32(rows.count))
      }
      self.upperPlaces = upperPlaces
      upperRows = rows
      upperOrdinals = nodes.map { places[Int(builder.upperOrdinals[$0])] }
      upperStarts = starts
    }

    func entryPoint(_ parameters: HNSWParameters) -> UInt32 {
      if parameters.maxLevel > 0 { return upperPlaces[Int(parameters.entryPoint)] }
      return places.isEmpty ? 0 : places[Int(parameters.entryPoint)]
    }
  }
}
