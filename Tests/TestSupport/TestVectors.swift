/// Vectors in clusters of low intrinsic dimension, as embeddings are (independent Gaussians are not and mislead).
package struct TestVectors {
  package let dimensions: Int
  package var rows: [[Float]]

  package init(count: Int, dimensions: Int, seed: UInt64, clusters: Int = 20) {
    self.dimensions = dimensions
    var random = SplitMix(seed: seed)
    let factors = min(dimensions, 12)
    func vector(_ scale: Float, _ length: Int) -> [Float] {
      (0..<length).map { _ in Float.random(in: -scale...scale, using: &random) }
    }
    let basis = (0..<factors).map { _ in vector(1, dimensions) }
    let centres = (0..<clusters).map { _ in vector(2, factors) }
    rows = (0..<count).map { _ in
      let centre = centres[Int.random(in: 0..<clusters, using: &random)]
      let own = vector(0.7, factors)
      var result = vector(0.02, dimensions)
      for factor in 0..<factors {
        let weight = centre[factor] + own[factor]
        for i in 0..<dimensions { result[i] += weight * basis[factor][i] }
      }
      return result
    }
  }
}
