import Testing

@testable import VidxIndexes

@Suite struct InsertionLogTests {
  @Test func whoHasNotSeenTheLastEntryDoesNotEnter() {
    let log = InsertionLog(capacity: 4, threads: 2)
    #expect(log.begin() == 0)
    #expect(log.enter(7, 0, known: 0))
    #expect(!log.enter(8, 1, known: 0))
    #expect(log.size == 1)
    #expect(log.enter(8, 1, known: 1))
    let entered = (0..<log.size).map { unsafe log.ordinals[$0] }
    #expect(entered == [7, 8])
  }

  /// What was entered after an entry that is not linked may be linked by nothing but it.
  @Test func looksAtAllFromTheFirstThatIsNotLinked() {
    let log = InsertionLog(capacity: 8, threads: 3)
    #expect(log.enter(1, 0, known: 0))
    #expect(log.enter(2, 1, known: 1))
    log.end(1)
    #expect(log.begin() == 0)
    #expect(log.enter(3, 1, known: 2))
    log.end(0)
    #expect(log.begin() == 2)
    log.end(1)
    #expect(log.begin() == 3)
  }

  /// Of any two that overlap, the later one sees the earlier one: in the log or linked.
  @Test func eachSeesAllBefore() {
    let (threads, count) = (4, 1_000)
    let log = InsertionLog(capacity: count, threads: threads)
    let linked = Locked(Set<UInt32>())
    let unseen = Locked(0)
    Parallel.chunks(count, chunk: 1, threads: threads) { worker, range in
      for i in range {
        let first = log.begin()
        // Copied element by element: the thread sanitizer does not see that shared storage is copied before a write.
        var seen = Set(linked.withLock { Array($0) })
        var known = first
        repeat {
          let size = log.size
          for j in known..<size { unsafe seen.insert(log.ordinals[j]) }
          known = size
        } while !log.enter(i, worker, known: known)
        let before = (0..<known).filter { unsafe !seen.contains(log.ordinals[$0]) }
        unseen.withLock { $0 += before.count }
        linked.withLock { _ = $0.insert(UInt32(i)) }
        log.end(worker)
      }
    }
    #expect(log.size == count)
    #expect(unseen.withLock { $0 } == 0)
  }
}
