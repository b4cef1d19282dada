/// Tells a file from another, or from what it was before, without reading all of it: its length and a hash of 64 of its
/// blocks, the first, the last and others between them.
package enum FileFingerprint {
  private static let blocks = 64
  private static let blockBytes = 4_096

  /// - Returns: "<bytes>-<hash>".
  package static func of(_ path: String) throws(FileError) -> String {
    let file = try InputFile(path: path)
    var hash = Hash()
    // Of a file of fewer blocks, all.
    let last = max(file.byteCount - blockBytes, 0)
    let steps = min(blocks, (file.byteCount + blockBytes - 1) / blockBytes)
    for step in 0..<steps {
      let start = steps == 1 ? 0 : last / (steps - 1) * step + last % (steps - 1) * step / (steps - 1)
      hash.add(try file.bytes(start..<min(start + blockBytes, file.byteCount)))
    }
    return "\(file.byteCount)-\(String(hash.value, radix: 16))"
  }

  /// FNV-1a of 64 bits (Fowler, Noll, Vo): nobody is to be kept from making two files of one hash.
  private struct Hash {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ bytes: [UInt8]) {
      for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
  }
}
