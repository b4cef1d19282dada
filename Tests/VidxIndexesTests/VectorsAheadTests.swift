import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Vectors that are written ahead", .timeLimit(.minutes(1)))
struct VectorsAheadTests {
  private let folder = TemporaryFolder()
  private let distinct: DistinctVectors

  init() throws {
    let configuration = IndexConfiguration(dimensions: 8, metric: .l2, kind: .hnsw)
    let data = TestVectors(count: 500, dimensions: 8, seed: 9)
    distinct = try DistinctVectors(configuration: configuration, capacity: data.rows.count)
    try distinct.add(data.source(), options: BuildOptions(threads: 1))
  }

  private func ahead(_ options: BuildOptions) throws -> VectorsAhead {
    let writer = try SegmentWriter(
      directory: folder.path, fileName: "ahead.seg",
      description: SegmentDescription(
        identifier: .random(), indexKind: .hnsw, metric: distinct.configuration.metric.code, codec: Codec.f32.code,
        dimensions: 8, vectorCount: distinct.count, entryCount: distinct.rowIDs.count))
    return VectorsAhead(writer, VectorWriting(distinct, order: nil), options)
  }

  private struct Stopped: Error {}

  /// What is built beside would go on for ever here.
  @Test func whoBuildsBesideStopsWhenTheyCannotBeWritten() throws {
    let here = pthread_self()
    // Only the thread that writes fails.
    let options = BuildOptions(threads: 2, isCancelled: { pthread_equal(pthread_self(), here) == 0 })
    #expect(throws: BuildError.cancelled) {
      try VectorsAhead.write(ahead(options), options) { options in
        while !options.isCancelled() { usleep(100) }
        throw Stopped()
      }
    }
    #expect(try SegmentFolderListing.files(folder.path).isEmpty)
  }

  @Test func anErrorBesideIsThrown() throws {
    let options = BuildOptions(threads: 2)
    #expect(throws: Stopped.self) {
      try VectorsAhead.write(ahead(options), options) { options in
        #expect(!options.isCancelled())
        throw Stopped()
      }
    }
    #expect(try SegmentFolderListing.files(folder.path).isEmpty)
  }
}
