import Foundation
import Synchronization
import Testing

@testable import VidxCLI

@Suite struct DeadlineTests {
  /// What an alarm has done.
  private enum Deed: Equatable { case interrupt, end }

  /// A deadline that can be shared, and what has become of it.
  private final class Watched: Sendable {
    let deadline = Deadline()
    private let isRinging = Atomic<Bool>(false)
    private let mayGoOn = Atomic<Bool>(false)
    private let isSeenTo = Atomic<Bool>(false)
    private let isSound = Atomic<Bool>(false)

    func ring() -> [Deed] {
      var deeds: [Deed] = []
      deadline.ring(interrupt: { deeds.append(.interrupt) }, end: { deeds.append(.end) })
      return deeds
    }

    func begin() { deadline.begin() }
    func finish() -> Bool { deadline.finish() }

    /// Rings, and is not done before `goOn`.
    func ringSlowly() {
      deadline.ring {
        isRinging.store(true, ordering: .sequentiallyConsistent)
        while !mayGoOn.load(ordering: .sequentiallyConsistent) { Thread.sleep(forTimeInterval: 0.001) }
        isSeenTo.store(true, ordering: .sequentiallyConsistent)
      } end: {
        Issue.record("the first alarm interrupts")
      }
    }

    func waitUntilItRings() {
      while !isRinging.load(ordering: .sequentiallyConsistent) { Thread.sleep(forTimeInterval: 0.001) }
    }

    /// Ends the work, and notes whether the alarm was over and done by then.
    func finishAndNote() {
      let isOver = finish()
      let isDone = isSeenTo.load(ordering: .sequentiallyConsistent)
      isSound.store(isOver && isDone, ordering: .sequentiallyConsistent)
    }

    func goOn() { mayGoOn.store(true, ordering: .sequentiallyConsistent) }
    func endedSoundly() -> Bool { isSound.load(ordering: .sequentiallyConsistent) }
  }

  @Test func interruptsOnceAndThenEnds() {
    let watched = Watched()
    #expect(watched.ring() == [])
    for _ in 0..<2 {
      watched.begin()
      #expect(watched.ring() == [.interrupt])
      #expect(watched.ring() == [.end])
      #expect(watched.ring() == [.end])
      #expect(watched.finish())
      #expect(watched.ring() == [])
      watched.begin()
      #expect(!watched.finish())
      #expect(watched.ring() == [])
    }
  }

  /// The work must not be left, and its connection closed, while an alarm on another thread is about to interrupt it.
  @Test func waitsForAnAlarmThatRings() {
    let watched = Watched()
    watched.begin()
    Thread.detachNewThread { watched.ringSlowly() }
    watched.waitUntilItRings()
    let work = DispatchGroup()
    work.enter()
    Thread.detachNewThread {
      watched.finishAndNote()
      work.leave()
    }
    // Long enough for one that does not wait to be found out.
    let early = work.wait(timeout: .now() + 0.1)
    #expect(early == .timedOut)
    watched.goOn()
    work.wait()
    #expect(watched.endedSoundly())
  }
}
