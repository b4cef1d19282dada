import VidxSegments

extension HNSWGraph {
  /// Invariants of the graph, checksums and ranges of links aside: no node links to itself or twice to another, unused
  /// places are at the end of a list, upper nodes link only within their layer, and every node can be reached from
  /// the entry point. Empty when sound.
  func problems() throws(SegmentError) -> [String] {
    var problems: [String] = []
    try baseLinks.verifyAll()
    for node in 0..<vectorCount where problems.count < 8 {
      if let problem = unsafe listProblem(baseLinks.words + node * Int(parameters.baseDegree), node: node) {
        problems.append("base node \(node) \(problem)")
      }
    }
    problems += try upperProblems()
    if problems.isEmpty, vectorCount > 0 {
      let reached = try reachableCount()
      if reached < vectorCount {
        problems.append("only \(reached) of \(vectorCount) vectors can be reached")
      }
    }
    return problems
  }

  private func listProblem(_ list: UnsafePointer<UInt32>, node: Int) -> String? {
    let degree = Int(parameters.baseDegree)
    var seen: Set<UInt32> = []
    var ended = false
    for i in 0..<degree {
      let id = unsafe list[i]
      if id == Self.unused {
        ended = true
        continue
      }
      if ended { return "has a link behind an unused place" }
      if Int(id) == node { return "links to itself" }
      if !seen.insert(id).inserted { return "links twice to \(id)" }
    }
    return nil
  }

  private func upperProblems() throws(SegmentError) -> [String] {
    guard let upper else { return [] }
    var problems: [String] = []
    var lists = 0
    for node in 0..<Int(parameters.upperCount) where problems.count < 8 {
      let level = try level(ofUpper: node)
      lists += level
      if node > 0, try upper.ordinals.load(UInt32.self, at: node - 1) >= upper.ordinals.load(UInt32.self, at: node) {
        problems.append("upper node \(node) is out of order")
      }
      if level > Int(parameters.maxLevel) { problems.append("upper node \(node) is above the top layer") }
      for layer in 1...level {
        for other in try upperNeighbours(node, level: layer) {
          if Int(other) == node { problems.append("upper node \(node) links to itself in layer \(layer)") }
        }
      }
    }
    if problems.isEmpty, lists != Int(parameters.upperListCount) {
      problems.append("\(lists) lists above the base, not \(parameters.upperListCount)")
    }
    return problems
  }

  /// How many base nodes a walk from the entry point meets.
  private func reachableCount() throws(SegmentError) -> Int {
    let degree = Int(parameters.baseDegree)
    var entry = parameters.entryPoint
    if let upper, parameters.maxLevel > 0 { entry = try upper.ordinals.load(UInt32.self, at: Int(entry)) }
    var seen = [Bool](repeating: false, count: vectorCount)
    var stack = [entry]
    seen[Int(entry)] = true
    var count = 1
    while let node = stack.popLast() {
      let list = unsafe baseLinks.words + Int(node) * degree
      for i in 0..<degree {
        let id = unsafe list[i]
        if id == Self.unused { break }
        if !seen[Int(id)] {
          seen[Int(id)] = true
          count += 1
          stack.append(id)
        }
      }
    }
    return count
  }
}
