import Foundation
import Testing
import VidxSegments
import VidxVectors
import CVidxKernels
@testable import VidxIndexes

func f32(_ path: String) -> [Float] {
  let d = try! Data(contentsOf: URL(fileURLWithPath: path))
  return d.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
}
@Test(.enabled(if: ProcessInfo.processInfo.environment["IVF_SCRATCH"] != nil)) func scratch() throws {
  let base = f32("/tmp/ivfexp/base.f32"), queries = f32("/tmp/ivfexp/q.f32"), kth = f32("/tmp/ivfexp/s10.f32")
  let n = base.count / 384
  let source = ArraySource(rowIDs: (1...n).map(Int64.init), vectors: base, dimensions: 384)
  let qs = try (0..<1000).map { try PreparedQuery(Array(queries[$0*384..<($0+1)*384]), dimensions: 384, metric: .cosine) }
  let clock = ContinuousClock()
  print("blas", String(cString: vidx_blas_name()), VectorKernels.isa)
  for lists in (ProcessInfo.processInfo.environment["LISTS"] ?? "85,290,512,1024").split(separator: ",").map({ Int($0)! }) {
    let t = clock.now
    let p = try SegmentBuilder.build(source, configuration: IndexConfiguration(dimensions: 384, metric: .cosine, kind: .ivfflat, lists: lists), options: BuildOptions(threads: 2), directory: "/tmp/ivfexp/seg", fileName: "l\(lists).seg")
    let built = clock.now - t
    p.release()
    let ix = try SegmentIndex.open(path: p.path)
    for probes in [1, 2, 4, 8, 9, 16, 17, 32, 64] where probes <= lists {
      var c = SearchCounters(); var hit = 0
      for (i, q) in qs.enumerated() {
        let a = try ix.search(q, k: 10, parameters: SearchParameters(probes: probes), counters: &c)
        hit += a.hits.count { -$0.score >= kth[i] - 1e-6 }
      }
      var best = 1e9
      for _ in 0..<5 {
        let t = clock.now
        for i in 0..<500 { _ = try ix.search(qs[i], k: 10, parameters: SearchParameters(probes: probes), counters: &c) }
        let s = clock.now - t
        best = min(best, Double(s.components.attoseconds) * 1e-18 + Double(s.components.seconds))
      }
      let nd = Double(c.distanceComputations) / 3500
      _ = nd
      var c2 = SearchCounters()
      for q in qs { _ = try ix.search(q, k: 10, parameters: SearchParameters(probes: probes), counters: &c2) }
      let ndis = Double(c2.distanceComputations) / 1000
      print(lists, probes, "build", built, "recall", Double(hit) / 10000, "us", best / 500 * 1e6, "ndis", ndis, "GB/s", ndis * 1536 / (best / 500) / 1e9)
    }
  }
}
