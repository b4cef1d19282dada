import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Segments that no builder writes: right checksums, wrong content.
@Suite struct IVFListsTests {
  @Test func opensWhatItShould() throws {
    let folder = TemporaryFolder()
    let index = try open(folder, Forged())
    #expect(try index.check().isEmpty)
    #expect(try index.nearest([1, 0], k: 4).hits.map(\.rowID) == [1, 2, 3, 4])
  }

  @Test func refusesParametersOutOfRange() throws {
    for (word, value) in [(0, UInt32(0)), (0, 65_537), (0, .max), (1, 70_000)] {
      let folder = TemporaryFolder()
      var forged = Forged()
      forged.parameters[word] = value
      #expect(throws: SegmentError.self) { try open(folder, forged) }
    }
  }

  @Test func refusesSectionsOfAnotherLength() throws {
    let folder = TemporaryFolder()
    var forged = Forged()
    forged.parameters[0] = 3
    #expect(throws: SegmentError.self) { try open(folder, forged) }
    forged = Forged()
    forged.starts = [0, 4]
    #expect(throws: SegmentError.self) { try open(TemporaryFolder(), forged) }
  }

  @Test func refusesListsOutsideTheVectors() throws {
    for starts: [UInt32] in [[0, 5, 5], [3, 2, 4], [1, 2, 4], [0, .max, 4], [0, 2, .max]] {
      let folder = TemporaryFolder()
      var forged = Forged()
      forged.starts = starts
      let index = try open(folder, forged)
      #expect(throws: SegmentError.self) { try index.nearest([1, 0], k: 4) }
      let query = try PreparedQuery([1, 0], dimensions: 2, metric: .l2)
      #expect(throws: SegmentError.self) { try index.stream(query).next() }
      #expect(throws: SegmentError.self) { try index.check() }
    }
  }

  @Test func checkNamesListsThatLeaveVectorsOut() throws {
    for starts: [UInt32] in [[0, 2, 3], [0, 0, 0]] {
      let folder = TemporaryFolder()
      var forged = Forged()
      forged.starts = starts
      let index = try open(folder, forged)
      #expect(try index.check() == ["the lists hold vectors \(starts[0])..<\(starts[2]) of 4"])
      // Wrong, but nothing may trap.
      #expect(try index.nearest([1, 0], k: 4).hits.count == Int(starts[2] - starts[0]))
    }
  }

  @Test func checkNamesCentroidsThatAreNotNumbers() throws {
    let folder = TemporaryFolder()
    var forged = Forged()
    forged.centroids[16] = .nan
    let index = try open(folder, forged)
    #expect(try index.check() == ["the centroid of list 1 is not finite"])
    #expect(try index.nearest([1, 0], k: 4, SearchParameters(probes: 2)).hits.count == 4)
  }

  /// Four vectors of two dimensions in two lists.
  private struct Forged {
    var parameters: [UInt32] = [2, 2, 4, 0, 42, 0, 0, 0]
    var centroids = [Float](repeating: 0, count: 32)
    var starts: [UInt32] = [0, 2, 4]
  }

  private func open(_ folder: TemporaryFolder, _ forged: Forged) throws -> SegmentIndex {
    var writer = try SegmentWriter(
      directory: folder.path, fileName: "forged.seg",
      description: SegmentDescription(
        identifier: SegmentIdentifier.random(), indexKind: .ivfflat, metric: Metric.l2.code, codec: 1, dimensions: 2,
        vectorCount: 4, entryCount: 4))
    var vectors = [Float](repeating: 0, count: 64)
    for i in 0..<4 { vectors[i * 16] = 1 + Float(i) }
    try writer.write(.vectors, vectors)
    try writer.write(.rowIDs, [1, 2, 3, 4] as [Int64])
    try writer.write(.sortedRowIDs, [1, 2, 3, 4] as [Int64])
    try writer.write(.sortedEntries, [0, 1, 2, 3] as [UInt32])
    try writer.write(.parameters, forged.parameters)
    try writer.write(.centroids, forged.centroids)
    try writer.write(.listStarts, forged.starts)
    let file = try writer.publish()
    file.release()
    return try SegmentIndex.open(path: file.path)
  }
}
