import Foundation
import Synchronization
import TestSupport
import Testing

@testable import VidxSegments

@Suite("Section")
struct SectionTests {
  static let path = "/nowhere/sections.seg"

  private func file(_ kind: SectionKind, byteCount: Int) throws -> SegmentFile {
    try SegmentFile(
      path: Self.path, fileSystem: MemoryFileSystem(SampleSegment.section(kind, byteCount: byteCount).encoded()))
  }

  @Test("Only the blocks touched are verified")
  func lazy() throws {
    let section = try file(.vectors, byteCount: 70 * 65_536).section(.vectors, expecting: 70 * 65_536)
    func verified() -> [Int] { (0..<70).filter { section.isBlockVerified(containing: $0 << 16) } }
    #expect(verified() == [])
    try section.verify(10..<10)
    #expect(verified() == [])
    try section.verify(65_535..<65_536)
    #expect(verified() == [0])
    try section.verify(3 * 65_536 - 1..<3 * 65_536 + 1)
    #expect(verified() == [0, 2, 3])
    try section.verify(64 * 65_536..<70 * 65_536)
    #expect(verified() == [0, 2, 3, 64, 65, 66, 67, 68, 69])
    #expect(!section.isVerified)
    try section.verifyAll()
    #expect(section.isVerified && verified() == Array(0..<70))
  }

  @Test(
    "Rows are verified where they lie, over one block, two or more", arguments: [1, 4, 1536, 64_000, 65_536, 200_000])
  func rows(rowByteCount: Int) throws {
    let byteCount = 12 << 16
    let section = try file(.vectors, byteCount: byteCount).section(.vectors, expecting: byteCount)
    let rowCount = byteCount / rowByteCount
    let ids = [0, rowCount / 2, rowCount - 1].map { UInt32($0) }
    for _ in 0..<2 { try unsafe section.verify(rows: ids, count: ids.count, rowByteCount: rowByteCount) }
    var expected = Set<Int>()
    for id in ids {
      let start = Int(id) * rowByteCount
      expected.formUnion(start >> 16...(start + rowByteCount - 1) >> 16)
    }
    #expect(Set((0..<12).filter { section.isBlockVerified(containing: $0 << 16) }) == expected)
  }

  @Test("A row is not taken for verified because its first block is, or its last", arguments: [0, 1, 2])
  func rowAcrossDamage(damaged: Int) throws {
    var bytes = try SampleSegment.section(.vectors, byteCount: 3 << 16).encoded()
    bytes[4096 + damaged << 16] ^= 1
    let section = try SegmentFile(path: Self.path, fileSystem: MemoryFileSystem(bytes))
      .section(.vectors, expecting: 3 << 16)
    for block in 0..<3 where block != damaged { try section.verify(block << 16..<(block + 1) << 16) }
    #expect(throws: SegmentError.self) { try unsafe section.verify(rows: [0], count: 1, rowByteCount: 3 << 16) }
    let pair = damaged == 0 ? 0 : 1  // Rows of a block and a half: 0 covers blocks 0 and 1, 1 covers 1 and 2.
    #expect(throws: SegmentError.self) {
      try unsafe section.verify(rows: [UInt32(pair)], count: 1, rowByteCount: 3 << 15)
    }
  }

  @Test("An empty section is verified from the start")
  func empty() throws {
    let section = try file(.norms, byteCount: 0).section(.norms, expecting: 0)
    #expect(section.isVerified)
    try section.verifyAll()
  }

  @Test("Validation sees each block once, with its bytes and offset")
  func validation() throws {
    let byteCount = 3 * 65_536 + 10
    let seen = Locked<[Int: [UInt8]]>([:])
    let section = try unsafe file(.baseLinks, byteCount: byteCount).section(
      .baseLinks, expecting: byteCount,
      validate: { block, offset in
        let bytes = unsafe [UInt8](block)
        return seen.withLock { $0.updateValue(bytes, forKey: offset) == nil }
      })
    try section.verifyAll()
    try section.verifyAll()
    let pattern = SampleSegment.pattern(byteCount)
    let expected = Dictionary(
      uniqueKeysWithValues: [0, 65_536, 131_072, 196_608].map { ($0, Array(pattern[$0..<min($0 + 65_536, byteCount)])) }
    )
    #expect(seen.withLock { $0 } == expected)
  }

  @Test("Content that validation refuses is an error, each time, and names the block")
  func invalidContent() throws {
    let byteCount = 3 * 65_536
    let section = try unsafe file(.baseLinks, byteCount: byteCount).section(
      .baseLinks, expecting: byteCount, validate: { _, offset in offset != 65_536 })
    try section.verify(0..<65_536)
    for _ in 0..<2 {
      #expect(throws: SegmentError.invalidContent(section: .baseLinks, offset: 65_536, path: Self.path)) {
        try section.verifyAll()
      }
    }
    #expect(!section.isBlockVerified(containing: 65_536) && !section.isVerified)
  }

  @Test("Damage is found before validation is asked")
  func damageFirst() throws {
    var bytes = try SampleSegment.section(.baseLinks, byteCount: 100).encoded()
    bytes[4100] ^= 1
    let asked = Locked(false)
    let section = try unsafe SegmentFile(path: Self.path, fileSystem: MemoryFileSystem(bytes)).section(
      .baseLinks, expecting: 100,
      validate: { _, _ in
        asked.withLock { $0 = true }
        return true
      })
    #expect(throws: SegmentError.self) { try section.verifyAll() }
    #expect(!asked.withLock { $0 })
  }

  @Test("Threads that verify the same section agree, and together verify all of it")
  func threads() throws {
    let blockCount = 150
    let seed = UInt64.random(in: 0...UInt64.max)
    let section = try file(.vectors, byteCount: blockCount << 16).section(.vectors, expecting: blockCount << 16)
    let failures = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      var random = SplitMix(seed: seed &+ UInt64(thread))
      for block in (0..<blockCount).shuffled(using: &random) {
        let start = block << 16
        do { try section.verify(start..<start + 100) } catch { failures.add(1, ordering: .relaxed) }
        if !section.isBlockVerified(containing: start) { failures.add(1, ordering: .relaxed) }
      }
      if !section.isVerified { failures.add(1, ordering: .relaxed) }
    }
    #expect(failures.load(ordering: .relaxed) == 0, "seed \(seed)")
    #expect(section.isVerified, "seed \(seed)")
  }

  @Test("Two threads that meet in one block do not make it count twice")
  func meeting() throws {
    let inside = DispatchSemaphore(value: 0)
    let go = DispatchSemaphore(value: 0)
    let done = DispatchSemaphore(value: 0)
    let section = try unsafe file(.vectors, byteCount: 2 << 16).section(
      .vectors, expecting: 2 << 16,
      validate: { _, _ in
        inside.signal()
        go.wait()
        return true
      })
    let failures = Atomic<Int>(0)
    for _ in 0..<2 {
      Thread.detachNewThread {
        do { try section.verify(0..<1) } catch { failures.add(1, ordering: .relaxed) }
        done.signal()
      }
    }
    for _ in 0..<2 { inside.wait() }
    for _ in 0..<2 { go.signal() }
    for _ in 0..<2 { done.wait() }
    #expect(failures.load(ordering: .relaxed) == 0)
    #expect(section.isBlockVerified(containing: 0) && !section.isBlockVerified(containing: 65_536))
    #expect(!section.isVerified)
  }

  @Test("Threads that meet in a damaged block all get the error")
  func threadsAndDamage() throws {
    var bytes = try SampleSegment.section(.vectors, byteCount: 20 << 16).encoded()
    bytes[4096 + 7 << 16] ^= 1
    let section = try SegmentFile(path: Self.path, fileSystem: MemoryFileSystem(bytes))
      .section(.vectors, expecting: 20 << 16)
    let refusals = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      do { try section.verifyAll() } catch { refusals.add(1, ordering: .relaxed) }
    }
    #expect(refusals.load(ordering: .relaxed) == 8)
    #expect(!section.isVerified)
  }

  @Test("The bits a loop copies see what others verify later")
  func bits() throws {
    let section = try file(.vectors, byteCount: 65 << 16).section(.vectors, expecting: 65 << 16)
    let bits = section.verifiedBits
    #expect(!bits.contains(block: 64) && !bits.contains(offset: 64 << 16))
    try section.verify(64 << 16..<64 << 16 + 1)
    #expect(bits.contains(block: 64) && bits.contains(offset: 64 << 16 + 65_535))
    #expect(!bits.contains(block: 0) && !bits.contains(block: 63))
  }

  @Test("Bytes stay readable after the file object has gone and the file is removed")
  func lifetime() throws {
    let directory = try TemporaryDirectory()
    let sample = SampleSegment.section(.vectors, byteCount: 200_000)
    let published = try sample.publish(in: directory.path)
    let section = try SegmentFile(path: published.path).section(.vectors, expecting: 200_000)
    try published.discard()
    try section.verifyAll()
    #expect(section.contents == sample.sections[0].bytes)
  }

  @Test("Advice changes nothing that is read", arguments: [MemoryAdvice.random, .sequential, .willNeed])
  func advice(advice: MemoryAdvice) throws {
    let directory = try TemporaryDirectory()
    let sample = SampleSegment(sections: [(.rowIDs, [1, 2, 3]), (.vectors, SampleSegment.pattern(100_000))])
    let file = try SegmentFile(path: sample.publish(in: directory.path).path)
    let section = try file.section(.vectors, expecting: 100_000)
    section.advise(advice)
    try section.verifyAll()
    #expect(section.contents == sample.sections[1].bytes)
  }
}
