import CVidxKernels

/// A random orthogonal map of vectors, given by its seed (docs/CODECS.md). Thread safe.
@safe package final class Rotation: @unchecked Sendable {
  // @unchecked: filled by init, then only read.
  package let dimensions: Int
  private let signs: AlignedBuffer
  private let forth: @convention(c) (UnsafeMutablePointer<Float>, Int, UnsafePointer<UInt32>) -> Void
  private let back: @convention(c) (UnsafeMutablePointer<Float>, Int, UnsafePointer<UInt32>) -> Void

  /// - Complexity: O(dimensions); holds 16 bytes a dimension.
  package init(dimensions: Int, seed: UInt64, isa: String? = nil) {
    self.dimensions = dimensions
    signs = AlignedBuffer(byteCount: 16 * dimensions)
    let table = unsafe CodeKernels.table(isa: isa).pointee
    unsafe forth = table.rotate
    unsafe back = table.rotate_back
    var state = seed
    for i in 0..<4 * dimensions {
      // Steele, Lea & Flood's SplitMix64.
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      unsafe signs.words[i] = UInt32(truncatingIfNeeded: (z ^ (z >> 31)) >> 63) << 31
    }
  }

  /// Rotates `dimensions` floats in place.
  /// - Complexity: O(dimensions x log dimensions).
  package func apply(_ vector: UnsafeMutablePointer<Float>) { unsafe forth(vector, dimensions, signs.words) }

  /// Undoes `apply`.
  package func undo(_ vector: UnsafeMutablePointer<Float>) { unsafe back(vector, dimensions, signs.words) }
}
