/// Finds what was probably meant.
enum Spelling {
  /// The candidate nearest to a word by edits, when it is near enough to be a slip: at most a third of the letters.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    // What is longer than words are resembles none, and comparing it would take long.
    guard word.utf8.count <= 256 else { return nil }
    let scored = candidates.map { (candidate: $0, edits: distance(word, $0)) }
    guard let best = scored.min(by: { $0.edits < $1.edits }) else { return nil }
    return best.edits <= max(1, word.count / 3) ? best.candidate : nil
  }

  /// The fewest insertions, deletions, replacements and swaps of neighbours between two words (optimal string
  /// alignment).
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var current = [i + 1]
      for j in 0..<b.count {
        var edits = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { edits = min(edits, before[j - 1] + 1) }
        current.append(edits)
      }
      (before, previous) = (previous, current)
    }
    return previous[b.count]
  }
}
