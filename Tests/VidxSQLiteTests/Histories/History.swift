import Foundation
import TestSupport
import Testing

/// What is done to a database with one index, step by step. As JSON it can be kept and run again.
struct History: Codable, Equatable, Sendable {
  var setting: Setting
  var steps: [Step]

  struct Setting: Codable, Equatable, Sendable, CustomTestStringConvertible {
    /// As SQL has it: flat, ivfflat, hnsw.
    var kind: String
    var hasFilterColumns: Bool
    /// The index follows a column of a table that has another UNIQUE column; otherwise it has its own vectors.
    var hasContent: Bool
    /// Otherwise a rollback journal.
    var hasWriteAheadLog: Bool
    /// From the second row on a transaction keeps what it inserts in memory, and writes four rows as a segment.
    var isInBulk = false

    /// Rows have the columns tag and size.
    var hasColumns: Bool { hasFilterColumns || hasContent }

    var testDescription: String {
      kind + (hasFilterColumns ? ", filter columns" : "") + (hasContent ? ", content table" : "")
        + (hasWriteAheadLog ? ", WAL" : "") + (isInBulk ? ", in bulk" : "")
    }

    static let all = ["flat", "ivfflat", "hnsw"].flatMap { kind in
      [false, true].flatMap { filters in
        [false, true].flatMap { content in
          [false, true].flatMap { log in
            (content ? [false] : [false, true]).map { bulk in
              Setting(
                kind: kind, hasFilterColumns: filters, hasContent: content, hasWriteAheadLog: log, isInBulk: bulk)
            }
          }
        }
      }
    }
  }

  /// A row; the components are small whole numbers, so that distances are exact and many are equal.
  struct Row: Codable, Equatable, Sendable {
    /// nil, with a content table only: the row is not in the index.
    var vector: [Int]?
    var tag: String?
    var size: Int
    /// With a content table: no two rows have the same.
    var title: Int
  }

  /// Steps that make no sense where they stand (COMMIT without BEGIN) are left out by whoever runs them, so that any
  /// steps can be dropped from a history.
  enum Step: Codable, Equatable, Sendable {
    case insert(id: Int64, row: Row)
    case replace(id: Int64, row: Row)
    /// INSERT OR REPLACE of rows that the seed makes, in one statement.
    case fill(first: Int64, count: Int, seed: UInt64)
    case setVector(id: Int64, vector: [Int]?)
    case setColumns(id: Int64, tag: String?, size: Int)
    /// UPDATE OR REPLACE.
    case setTitle(id: Int64, title: Int)
    /// UPDATE OR REPLACE of the row id.
    case move(id: Int64, to: Int64)
    case delete(first: Int64, last: Int64)
    case deleteAll
    case begin, commit, rollback
    case savepoint(name: Int)
    case rollbackTo(name: Int)
    case release(name: Int)
    case merge(rows: Int)
    case optimize, rebuild
    /// By another connection, without holding the lock while it builds; sweeps.
    case optimizeBeside
    case rename
    case vacuum
    /// Closes the connection, in the middle of a transaction maybe.
    case reopen
    /// A second connection begins a read transaction, and searches in it at once or later only.
    case beginReading(isSearching: Bool)
    case endReading
    case check(seed: UInt64)
    /// What a broken index would do; never by chance.
    case lose
  }
}

extension History {
  static let dimensions = 4

  /// - Returns: so many steps by chance, the same for the same seed.
  static func random(_ setting: Setting, seed: UInt64, count: Int) -> History {
    var random = SplitMix(seed: seed)
    let steps = (0..<count).map { number in
      number % 8 == 7 ? Step.check(seed: random.next() % 1_000_000) : Step.random(setting, &random)
    }
    return History(setting: setting, steps: steps)
  }
}

extension History.Row {
  static func random(_ setting: History.Setting, title: Int? = nil, _ random: inout SplitMix) -> History.Row {
    let vector: [Int]? =
      setting.hasContent && random.next() % 10 == 0
      ? nil : (0..<History.dimensions).map { _ in Int(random.next() % 7) - 3 }
    return History.Row(
      vector: vector, tag: [nil, "a", "b", "c"][Int(random.next() % 4)], size: Int(random.next() % 20),
      title: title ?? Int(random.next() % 30))
  }
}

extension History.Step {
  fileprivate static func random(_ setting: History.Setting, _ random: inout SplitMix) -> History.Step {
    let id = Int64(random.next() % 40) + 1
    let row = History.Row.random(setting, &random)
    switch random.next() % 100 {
    case 0..<18: return .insert(id: id, row: row)
    case 18..<34: return .replace(id: id, row: row)
    case 34..<42: return .setVector(id: id, vector: row.vector)
    case 42..<46: return .setColumns(id: id, tag: row.tag, size: row.size)
    case 46..<50: return .setTitle(id: id, title: row.title)
    case 50..<54: return .move(id: id, to: Int64(random.next() % 40) + 1)
    case 54..<60: return .delete(first: id, last: id)
    case 60..<62: return .delete(first: id, last: id + 20)
    case 62: return .deleteAll
    case 63..<66: return .fill(first: Int64(100 + 50 * (random.next() % 3)), count: 60, seed: random.next() % 1_000_000)
    case let number: return .randomControl(number, &random)
    }
  }

  /// Of what changes no row.
  private static func randomControl(_ number: UInt64, _ random: inout SplitMix) -> History.Step {
    let name = Int(random.next() % 3)
    switch number {
    case 66..<71: return .begin
    case 71..<74: return .commit
    case 74..<76: return .rollback
    case 76..<80: return .savepoint(name: name)
    case 80..<83: return .rollbackTo(name: name)
    case 83..<85: return .release(name: name)
    case 85..<88: return .merge(rows: 5)
    case 88: return .optimize
    case 89..<91: return .optimizeBeside
    case 91: return .rebuild
    case 92: return .rename
    case 93: return .vacuum
    case 94: return .reopen
    case 95..<98: return .beginReading(isSearching: random.next() % 2 == 0)
    default: return .endReading
    }
  }
}

extension History {
  /// The fewest steps that still fail, as far as leaving out ever smaller parts finds them (delta debugging; Zeller and
  /// Hildebrandt 2002).
  /// - Parameter limit: so many runs at most.
  func shrunk(limit: Int = 400, _ fails: (History) -> Bool) -> History {
    var best = self
    var runs = 0
    var part = max(steps.count / 2, 1)
    while true {
      var start = 0
      var isShorter = false
      while start < best.steps.count, runs < limit {
        var candidate = best
        candidate.steps.removeSubrange(start..<min(start + part, best.steps.count))
        runs += 1
        if fails(candidate) {
          (best, isShorter) = (candidate, true)
        } else {
          start += part
        }
      }
      if runs >= limit || (part == 1 && !isShorter) { return best }
      part = max(part / 2, 1)
    }
  }

  /// One line, for the file that VIDX_HISTORY names.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  init(json: Data) throws { self = try JSONDecoder().decode(History.self, from: json) }
}
