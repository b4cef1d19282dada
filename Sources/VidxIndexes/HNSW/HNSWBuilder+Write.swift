import Synchronization
import VidxSegments

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
  func write(to writer: inout SegmentWriter) throws(SegmentError) {
    try writer.write(.parameters, parameters.encoded)
    try writer.begin(.baseLinks)
    unsafe try writer.append(UnsafeRawBufferPointer(start: baseLinks, count: vectorCount * baseDegree * 4))
    if upperOrdinals.isEmpty { return }
    try writer.write(.upperOrdinals, upperOrdinals)
    try writer.write(.upperStarts, upperStarts)
    try writer.begin(.upperLinks)
    unsafe try writer.append(
      UnsafeRawBufferPointer(start: upperLinks, count: Int(upperStarts[upperStarts.count - 1]) * m * 4))
  }
}
