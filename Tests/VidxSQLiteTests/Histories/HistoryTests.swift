import Foundation
import Testing

/// Random histories of a database, compared with a model of it: `VIDX_HISTORIES` for each setting (4), from the seed
/// `VIDX_SEED` on. A failure prints the seed and the shortest history found that still fails, as SQL and as JSON: saved
/// to a file, `VIDX_HISTORY=<file> swift test --filter HistoryTests` runs it again.
@Suite("Histories by chance") struct HistoryTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let count = environment["VIDX_HISTORIES"].flatMap(UInt64.init) ?? 4
  private static let firstSeed = environment["VIDX_SEED"].flatMap(UInt64.init) ?? 20_261
  private static let stepCount = 120

  @Test(arguments: History.Setting.all)
  func agreesWithTheModel(setting: History.Setting) throws {
    for seed in Self.firstSeed..<Self.firstSeed + Self.count {
      let history = History.random(setting, seed: seed, count: Self.stepCount)
      guard HistoryRun.failure(of: history) != nil else { continue }
      let shortest = history.shrunk { HistoryRun.failure(of: $0) != nil }
      let failure = HistoryRun.failure(of: shortest) ?? "it fails now and then only"
      Issue.record("seed \(seed), \(setting.testDescription): \(failure)\n\(shortest.script)\n\(try shortest.json())")
    }
  }

  @Test(.enabled("VIDX_HISTORY names no file") { HistoryTests.environment["VIDX_HISTORY"] != nil })
  func isReplayed() throws {
    let history = try History(json: Data(contentsOf: URL(fileURLWithPath: Self.environment["VIDX_HISTORY"] ?? "")))
    #expect(HistoryRun.failure(of: history) == nil, "\(history.script)")
  }

  @Test("A row that is lost is found, and nothing is left that has no part in it", arguments: [false, true])
  func lossIsFound(hasContent: Bool) throws {
    let setting = History.Setting(
      kind: "flat", hasFilterColumns: true, hasContent: hasContent, hasWriteAheadLog: true)
    var history = History.random(setting, seed: 5, count: 40)
    history.steps += [.replace(id: 1, row: History.Row(vector: [1, 2, 3, 0], tag: nil, size: 1, title: 500)), .lose]
    #expect(try History(json: Data(history.json().utf8)) == history)
    let shortest = history.shrunk { HistoryRun.failure(of: $0) != nil }
    #expect(shortest.steps.count == 2 && shortest.steps.last == .lose, "\(shortest.script)")
    #expect(HistoryRun.failure(of: shortest)?.contains("expected") == true)
  }

  @Test func histories() {
    let setting = History.Setting.all[0]
    let history = History.random(setting, seed: 1, count: 300)
    #expect(history == History.random(setting, seed: 1, count: 300))
    #expect(history != History.random(setting, seed: 2, count: 300))
    // Every kind of step that is there by chance comes, and most of them make sense where they stand.
    var model = HistoryModel(setting)
    let done = history.steps.filter { step in
      guard model.allows(step) else { return false }
      _ = model.apply(step)
      return true
    }
    #expect(done.count > 200)
    #expect(history.shrunk { $0.steps.contains(.deleteAll) && $0.steps.contains(.vacuum) }.steps.count == 2)
  }
}
