import Testing
import VidxSegments

@testable import VidxIndexes

#if canImport(Glibc)
  import Glibc

  /// Threads that leave the processors to others.
  @Suite("Polite threads") struct PolitenessTests {
    private struct Refused: Error, Equatable {}

    /// Of the calling thread: 0 is usual, 19 the least.
    private static func niceness() -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }

    @Test func bodyAndHelpersArePolite() throws {
      let before = Self.niceness()
      let found = Locked<[Int32]>([])
      try Parallel.politely {
        found.withLock { $0.append(Self.niceness()) }
        Parallel.run(threads: 3) { _ in found.withLock { $0.append(Self.niceness()) } }
      }
      #expect(found.withLock { $0 } == Array(repeating: max(before, 10), count: 4))
      #expect(Self.niceness() == before)
      #expect(throws: Refused.self) { try Parallel.politely { throw Refused() } }
    }

    @Test func helpersArePoliteAndTheCallerIsNot() throws {
      let before = Self.niceness()
      let found = Locked<[Int: Int32]>([:])
      Parallel.considerately {
        Parallel.run(threads: 3) { worker in found.withLock { $0[worker] = Self.niceness() } }
      }
      // The last worker is the calling thread.
      #expect(found.withLock { $0 } == [0: max(before, 10), 1: max(before, 10), 2: before])
      Parallel.run(threads: 2) { worker in found.withLock { $0[worker] = Self.niceness() } }
      #expect(found.withLock { $0[0] } == before)
      #expect(throws: Refused.self) { try Parallel.considerately { throw Refused() } }
      Parallel.run(threads: 2) { worker in found.withLock { $0[worker] = Self.niceness() } }
      #expect(found.withLock { $0[0] } == before)
    }
  }
#endif
