import Foundation
import Testing

@testable import Vidx

/// A directory that goes away with its owner.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "vidx-facade-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  /// The names of the files beside a database.
  func segments(of database: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: file(database + "-vidx"))) ?? []).sorted()
  }
}

/// Vectors that are the same in every run.
struct SampleVectors: VectorBlocks {
  let vectors: [[Float]]
  var name = "sample"

  init(count: Int, dimensions: Int = 8, seed: UInt64 = 11) {
    var state = seed
    func next() -> Float {
      // Knuth's MMIX generator; the upper bits.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) / Float(1 << 23) - 1
    }
    vectors = (0..<count).map { _ in (0..<dimensions).map { _ in next() } }
  }

  init(vectors: [[Float]]) { self.vectors = vectors }

  var count: Int { vectors.count }
  var dimensions: Int { vectors[0].count }

  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    for (offset, component) in vectors[rows].joined().enumerated() { unsafe destination[offset] = component }
  }

  /// Row ids (from 1) of the k nearest by l2 among those that pass, by brute force.
  func nearest(to query: [Float], k: Int, where passes: (Int64) -> Bool = { _ in true }) -> [Int64] {
    let scored = vectors.enumerated().map { number, vector in
      (zip(query, vector).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }, Int64(number + 1))
    }
    return scored.filter { passes($0.1) }.sorted { $0 < $1 }.prefix(k).map { $0.1 }
  }
}

/// Runs the body, which must throw a `VidxError` of a code, and returns it.
@discardableResult
func vidxError(
  _ code: VidxError.Code, saying words: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> Void
) async throws -> VidxError {
  let error = try await #require(throws: VidxError.self, sourceLocation: sourceLocation) { try await body() }
  #expect(error.code == code, "\(error.code): \(error.message)", sourceLocation: sourceLocation)
  for word in words { #expect(error.message.contains(word), "\(error.message)", sourceLocation: sourceLocation) }
  return error
}
