import CSQLite
import Testing
import VidxIndexes

@testable import VidxSQLite

/// What a run found that should not be.
struct HistoryFailure: Error, CustomStringConvertible {
  var description: String
}

/// A database that goes through a history beside a model of it.
final class HistoryRun {
  private let setting: History.Setting
  private let database: TestDatabase
  private var model: HistoryModel
  private var writer: Connection?
  private var reader: Connection?

  private init(_ setting: History.Setting) throws {
    self.setting = setting
    model = HistoryModel(setting)
    database = try TestDatabase()
    let connection = try connect()
    try connection.execute("PRAGMA journal_mode = \(setting.hasWriteAheadLog ? "WAL" : "DELETE")")
    for statement in setting.schema { try connection.execute(statement) }
    writer = connection
  }

  /// What goes wrong; nil when nothing does.
  static func failure(of history: History) -> String? {
    do {
      let run = try HistoryRun(history.setting)
      for (number, step) in history.steps.enumerated() where run.model.allows(step) {
        do { try run.perform(step) } catch { return "step \(number), \(step): \(error)" }
      }
      do { try run.finish() } catch { return "at the end: \(error)" }
      return nil
    } catch {
      return "\(error)"
    }
  }

  private func connect() throws -> Connection {
    let connection = try database.open(busyTimeout: 0)
    var policy = BulkPolicy()
    if setting.isInBulk { (policy.fewInserts, policy.fewestBytes, policy.mostSegments) = (1, 64, 6) }
    let code = unsafe Extension.register(on: connection.handle, link: LibraryLink(policy: policy)) { .serial }
    guard code == SQLITE_OK else { throw HistoryFailure(description: "the extension could not be added: \(code)") }
    try connection.execute("PRAGMA synchronous = OFF")
    return connection
  }

  private func connection() throws -> Connection {
    guard let writer else { throw HistoryFailure(description: "the connection is closed") }
    return writer
  }

  // MARK: Steps

  private func perform(_ step: History.Step) throws {
    switch step {
    case .reopen:
      writer = nil
      writer = try connect()
    case .optimizeBeside:
      let other = try database.open(busyTimeout: 0)
      try IndexStore.open(other, model.state.index).optimizeOutsideTransaction(options: .serial)
    case .beginReading(let isSearching): return try beginReading(isSearching: isSearching)
    case .endReading: return try endReading()
    case .check(let seed): return try check(seed: seed)
    default: return try write(step)
    }
    _ = model.apply(step)
  }

  private func write(_ step: History.Step) throws {
    guard let sql = step.sql(setting, index: model.state.index) else { return }
    do {
      try connection().execute(sql)
    } catch let error as SQLiteError where error.isBusy && !setting.hasWriteAheadLog && model.reading != nil {
      // With a rollback journal nobody commits while somebody reads. Nothing of the statement is done.
      try endReading()
      return try write(step)
    } catch let error as SQLiteError where error.code == SQLITE_CONSTRAINT {
      if model.apply(step) { throw error }
      return
    }
    if case .lose = step { return }
    if !model.apply(step) { throw HistoryFailure(description: "a row that is there was inserted") }
  }

  private func beginReading(isSearching: Bool) throws {
    let connection = try connect()
    try connection.execute("BEGIN; SELECT count(*) FROM sqlite_schema")
    reader = connection
    _ = model.apply(.beginReading(isSearching: isSearching))
    if isSearching { try checkReader(seed: 1) }
  }

  private func endReading() throws {
    try checkReader(seed: 2)
    reader = nil
    _ = model.apply(.endReading)
  }

  // MARK: Checks

  private func check(seed: UInt64) throws {
    var check = try HistoryCheck(connection: connection(), setting: setting, state: model.state, seed: seed)
    try check.run()
    try checkReader(seed: seed)
  }

  private func checkReader(seed: UInt64) throws {
    guard let reader, let state = model.reading else { return }
    var check = HistoryCheck(connection: reader, setting: setting, state: state, seed: seed)
    do { try check.run() } catch {
      throw HistoryFailure(description: "in the reader's transaction: \(error)")
    }
  }

  /// All is right at the end, too, for who opens the files anew, and after a sweep.
  private func finish() throws {
    try check(seed: 3)
    if reader != nil { try endReading() }
    writer = nil
    _ = model.apply(.reopen)
    writer = try connect()
    try check(seed: 4)
    try perform(.optimizeBeside)
    try check(seed: 5)
  }
}
