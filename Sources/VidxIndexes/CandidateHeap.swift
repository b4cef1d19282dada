/// Candidates by score, nearest at the root. Grows as needed.
struct CandidateHeap {
  private var items: [Candidate] = []

  var count: Int { items.count }
  var nearest: Candidate? { items.first }

  mutating func push(_ candidate: Candidate) {
    items.append(candidate)
    var i = items.count - 1
    while i > 0 {
      let parent = (i - 1) / 2
      if items[parent].score <= candidate.score { break }
      items[i] = items[parent]
      i = parent
    }
    items[i] = candidate
  }

  mutating func pop() -> Candidate? {
    guard let root = items.first, let last = items.popLast() else { return nil }
    if items.isEmpty { return root }
    var i = 0
    while true {
      var child = 2 * i + 1
      if child >= items.count { break }
      if child + 1 < items.count, items[child + 1].score < items[child].score { child += 1 }
      if items[child].score >= last.score { break }
      items[i] = items[child]
      i = child
    }
    items[i] = last
    return root
  }
}
