import Synchronization

extension HNSWBuilder {
  /// The finished graph as searches read it, while this builder lives. Nobody may insert meanwhile.
  var layers: GraphLayers {
    let parameters = self.parameters
    return unsafe GraphLayers(
      parameters, base: UnsafeRawPointer(baseLinks).assumingMemoryBound(to: UInt32.self),
      upperLinks: UnsafeRawPointer(upperLinks).assumingMemoryBound(to: UInt32.self),
      upperStarts: upperStarts, upperOrdinals: upperOrdinals)
  }
}
