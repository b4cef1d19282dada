/// The known word that a misspelt one most resembles, when it resembles one at all.
/// - Complexity: O(known words x length squared); nothing resembles a text that is longer than words are.
package func nearestSpelling(to word: String, among known: [String]) -> String? {
  if word.utf8.count > longestWord { return nil }
  let known = known.filter { $0.utf8.count <= longestWord }
  let ranked = known.map { (word: $0, distance: editDistance(word.lowercased(), $0)) }
  guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
  // Further apart than a third of its letters (two at least), the words have little in common.
  return best.distance <= max(2, best.word.count / 3) ? best.word : nil
}

private let longestWord = 256

/// Levenshtein's distance: insertions, deletions and replacements that turn one word into the other.
private func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var previous = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var current = [i + 1]
    for (j, y) in b.enumerated() {
      current.append(min(previous[j + 1] + 1, current[j] + 1, previous[j] + (x == y ? 0 : 1)))
    }
    previous = current
  }
  return previous[b.count]
}
