import Testing
import VidxVectors

@Suite struct RotationTests {
  static let dimensions = Array(1...130) + [384, 1536]

  private static func rotated(_ rotation: Rotation, _ vector: [Float]) -> [Float] {
    var copy = vector
    unsafe rotation.apply(&copy)
    return copy
  }

  private static func dot(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  @Test("Inner products and lengths stay, and the way back is exact", arguments: dimensions)
  func preserves(dimensions: Int) {
    let rotation = Rotation(dimensions: dimensions, seed: 5)
    let vectors = modelVectors(count: 6, dimensions: dimensions, unit: true, seed: 1)
    let images = vectors.map { Self.rotated(rotation, $0) }
    for i in 0..<6 {
      for j in 0...i {
        #expect(abs(Self.dot(vectors[i], vectors[j]) - Self.dot(images[i], images[j])) < 3e-6)
      }
      var back = images[i]
      unsafe rotation.undo(&back)
      #expect(zip(back, vectors[i]).allSatisfy { abs($0 - $1) < 2e-6 })
    }
  }

  @Test("Basis vectors stay orthonormal", arguments: [1, 2, 3, 5, 17, 96, 129, 384])
  func orthonormal(dimensions: Int) {
    let rotation = Rotation(dimensions: dimensions, seed: 11)
    let images = (0..<dimensions).map { axis in
      Self.rotated(rotation, (0..<dimensions).map { $0 == axis ? 1 : 0 })
    }
    for i in 0..<dimensions {
      for j in 0...i { #expect(abs(Self.dot(images[i], images[j]) - (i == j ? 1 : 0)) < 3e-6) }
    }
  }

  @Test("What is in one dimension is spread over all", arguments: [48, 100, 129, 384, 1536])
  func spreads(dimensions: Int) {
    let rotation = Rotation(dimensions: dimensions, seed: 3)
    for axis in [0, dimensions / 3, dimensions - 1] {
      let image = Self.rotated(rotation, (0..<dimensions).map { $0 == axis ? 1 : 0 })
      // Of a random direction the largest component is some sqrt(2 ln d / d).
      #expect(image.map(\.magnitude).max()! < 6 / Float(dimensions).squareRoot())
    }
  }

  @Test("The seed chooses the rotation, on all instruction sets the same bits", arguments: machineISAs)
  func seeds(isa: String) {
    for dimensions in codedDimensions {
      let vector = modelVectors(count: 1, dimensions: dimensions, unit: false, seed: 2)[0]
      let image = Self.rotated(Rotation(dimensions: dimensions, seed: 8, isa: isa), vector)
      #expect(image == Self.rotated(Rotation(dimensions: dimensions, seed: 8, isa: "scalar"), vector))
      if dimensions > 40 { #expect(image != Self.rotated(Rotation(dimensions: dimensions, seed: 9, isa: isa), vector)) }
    }
  }
}
