import Foundation
import TestSupport

/// Texts to begin with: a file of `Corpus`, one text a line. `\n`, `\t`, `\\` and `\x00` to `\xFF` stand for bytes.
/// What has ended the process once stays there.
enum Corpus {
  static func texts(_ name: String) throws -> [[UInt8]] {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus/\(name)")
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { unescaped(Array($0.utf8)) }
  }

  private static func unescaped(_ line: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = line[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
        result.append(byte)
        continue
      }
      switch kind {
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "x"):
        result.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      default: result.append(kind)
      }
    }
    return result
  }
}

/// Makes other texts of texts.
struct Mutation {
  /// What readers look at closely.
  var pieces: [[UInt8]]

  init(_ pieces: [String]) {
    self.pieces =
      pieces.map { Array($0.utf8) } + [
        [0], [0xFF], [0x80], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], Array("\u{301}".utf8),
        Array("\u{FEFF}".utf8),
      ]
  }

  /// - Parameter corpus: not empty.
  func text(of corpus: [[UInt8]], _ random: inout SplitMix) -> [UInt8] {
    var bytes = corpus[Int.random(in: 0..<corpus.count, using: &random)]
    for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes, corpus, &random) }
    return bytes
  }

  private func change(_ bytes: inout [UInt8], _ corpus: [[UInt8]], _ random: inout SplitMix) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    let end = min(bytes.count, place + Int.random(in: 1...24, using: &random))
    let piece = pieces[Int.random(in: 0..<pieces.count, using: &random)]
    switch Int.random(in: 0..<8, using: &random) {
    case 0: bytes.insert(contentsOf: piece, at: place)
    case 1: bytes.replaceSubrange(place..<min(bytes.count, place + piece.count), with: piece)
    case 2: bytes.removeSubrange(place..<end)
    case 3: bytes.removeLast(bytes.count - place)
    case 4: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
    case 5:
      let other = corpus[Int.random(in: 0..<corpus.count, using: &random)]
      bytes.replaceSubrange(place..., with: other.dropFirst(Int.random(in: 0...other.count, using: &random)))
    case 6:
      // Some readers are slow where a piece comes over and over.
      for _ in 0..<Int.random(in: 1...60, using: &random) { bytes.insert(contentsOf: piece, at: place) }
    default: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
    }
  }
}
