import TestSupport

/// The rows that a history makes, and the name of the index at the time: what a plain dictionary says there is.
struct HistoryState: Equatable {
  var rows: [Int64: History.Row] = [:]
  var index = "v"

  /// Rows that the index holds, and their vectors.
  var vectors: [Int64: [Int]] { rows.compactMapValues(\.vector) }
}

/// Rows, transactions and savepoints, in memory.
struct HistoryModel {
  let setting: History.Setting
  private(set) var state = HistoryState()
  /// What ROLLBACK (the first) and ROLLBACK TO bring back; BEGIN has no name.
  private var saved: [(name: Int?, state: HistoryState)] = []
  /// What the second connection's transaction sees; nil without one.
  private(set) var reading: HistoryState?

  init(_ setting: History.Setting) { self.setting = setting }

  var isInTransaction: Bool { !saved.isEmpty }
  var committed: HistoryState { saved.first?.state ?? state }

  /// A step makes sense here.
  func allows(_ step: History.Step) -> Bool {
    switch step {
    case .begin: !isInTransaction
    case .commit, .rollback: isInTransaction
    case .savepoint: saved.count < 5
    case .rollbackTo(let name), .release(let name): saved.contains { $0.name == name }
    case .vacuum: !isInTransaction && reading == nil
    // With a rollback journal it would have to wait for the reader, ten times over.
    case .optimizeBeside: !isInTransaction && (setting.hasWriteAheadLog || reading == nil)
    case .beginReading: reading == nil
    case .endReading: reading != nil
    case .setColumns: setting.hasColumns
    case .setTitle: setting.hasContent
    default: true
    }
  }

  /// Does a step, which `allows` allows.
  /// - Returns: false when SQL refuses it, for a row that is there, and nothing is changed.
  mutating func apply(_ step: History.Step) -> Bool {
    switch step {
    case .insert(let id, let row):
      if state.rows[id] != nil || holder(ofTitle: row.title) != nil { return false }
      state.rows[id] = row
    case .replace(let id, let row): put(id, row)
    case .fill(let first, let count, let seed):
      for (id, row) in Self.rows(first, count, seed, setting) { put(id, row) }
    case .setVector(let id, let vector): state.rows[id]?.vector = vector
    case .setColumns(let id, let tag, let size):
      state.rows[id]?.tag = tag
      state.rows[id]?.size = size
    case .setTitle(let id, let title):
      guard let row = state.rows[id] else { break }
      state.rows[id] = nil
      put(id, History.Row(vector: row.vector, tag: row.tag, size: row.size, title: title))
    case .move(let id, let target):
      guard let row = state.rows.removeValue(forKey: id) else { break }
      state.rows[target] = row
    case .delete(let first, let last): state.rows = state.rows.filter { $0.key < first || $0.key > last }
    case .deleteAll: state.rows = [:]
    case .rename: state.index = state.index == "v" ? "w" : "v"
    case .beginReading: reading = committed
    case .endReading: reading = nil
    default: control(step)
    }
    return true
  }

  private mutating func control(_ step: History.Step) {
    switch step {
    case .begin: saved = [(nil, state)]
    case .savepoint(let name): saved.append((name, state))
    case .commit: saved = []
    case .rollback, .reopen:
      state = committed
      saved = []
    case .rollbackTo(let name):
      guard let place = saved.lastIndex(where: { $0.name == name }) else { return }
      state = saved[place].state
      saved.removeSubrange((place + 1)...)
    case .release(let name):
      guard let place = saved.lastIndex(where: { $0.name == name }) else { return }
      saved.removeSubrange(place...)
    default: break
    }
  }

  private func holder(ofTitle title: Int) -> Int64? {
    setting.hasContent ? state.rows.first { $0.value.title == title }?.key : nil
  }

  /// INSERT OR REPLACE.
  private mutating func put(_ id: Int64, _ row: History.Row) {
    if let other = holder(ofTitle: row.title) { state.rows[other] = nil }
    state.rows[id] = row
  }

  /// The rows of `fill`; their titles are theirs alone.
  static func rows(
    _ first: Int64, _ count: Int, _ seed: UInt64, _ setting: History.Setting
  ) -> [(id: Int64, row: History.Row)] {
    var random = SplitMix(seed: seed)
    return (0..<Int64(count)).map { i in
      (first + i, History.Row.random(setting, title: Int(first + i) + 1_000, &random))
    }
  }
}
