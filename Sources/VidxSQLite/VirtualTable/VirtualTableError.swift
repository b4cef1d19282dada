internal import CSQLite
internal import VidxIndexes
internal import VidxSegments

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// What the virtual table itself refuses.
enum VirtualTableError: Error, Equatable {
  case reservedName(String)
  case unknownCommand(String)
  case setting(MaintenanceSettings.Name, value: String)
  case commandWithValues
  case commandByUpdate(table: String)
  case readOnlyColumn(Column)
  case missingVector
  case vector(VectorLiteralError)
  case rowIDType(String)
  /// The content table is another than the one that SQLite has connected the index to.
  case changedTypes(index: String, content: String)
  case modelType(String)
  /// 'integrity-check' found something; the first few problems.
  case damaged(problems: [String], count: Int)

  static let commands = [
    "merge", "optimize", "rebuild", "integrity-check", "merge_after = N", "threads = N", "memory = SIZE",
    "maintenance = background",
  ]
}

extension VirtualTableError: CustomStringConvertible {
  var description: String {
    switch self {
    case .reservedName(let name):
      "a vidx table cannot be called \(name), the name of one of its columns: choose another name"
    case .unknownCommand(let text):
      "unknown command '\(text)'"
        + (nearestSpelling(to: text, among: Self.commands).map { " (did you mean '\($0)'?)" } ?? "")
        + ": known are \(Self.commands.joined(separator: ", "))"
    case .setting(let name, let value):
      "\(name.rawValue) cannot be '\(value)': give \(name.values)"
    case .commandWithValues:
      "a command stands alone: INSERT INTO t(t) VALUES('optimize')"
    case .commandByUpdate(let table):
      "a command is given by INSERT: INSERT INTO \(table)(\(table)) VALUES('optimize')"
    case .readOnlyColumn(let column):
      "\(column.name) is not stored: it can be read or compared in a search only"
    case .missingVector:
      "the vector is NULL: give one, or DELETE the row"
    case .vector(let error):
      "\(error)"
    case .rowIDType(let type):
      "rowid must be an INTEGER, not \(type)"
    case .changedTypes(let index, let content):
      "table \(content) has been made anew with columns of other types: rebuild the index (INSERT INTO "
        + "\(index)(\(index)) VALUES('rebuild')); if that has been done, open the database anew"
    case .modelType(let type):
      "model must be TEXT, not \(type)"
    case .damaged(let problems, let count):
      problems.joined(separator: "; ") + (count > problems.count ? "; and \(count - problems.count) more" : "")
    }
  }
}

/// An error as SQLite is told of it: a result code and a message.
struct SQLiteReport {
  var code: Int32
  var message: String

  init(_ error: any Error, table: String) {
    code = Self.code(of: error)
    message =
      switch error {
      // SQLite's own messages name what they are about.
      case let error as SQLiteError: error.message
      case StoreError.segment(_, .stopped): SQLiteError.interrupt.message
      case StoreError.vector, StoreError.query, StoreError.invalidCount, StoreError.invalidTargetRecall,
        StoreError.missingPlan, StoreError.planOfStream:
        "vidx table \(table): \(error)"
      // These name the index themselves.
      case let error as StoreError where error.message.hasPrefix("index "): "vidx \(error)"
      default: "vidx table \(table): \(error)"
      }
  }

  /// SQLITE_CORRUPT_VTAB, a macro that Swift does not import.
  private static let corruptTable = SQLITE_CORRUPT | 1 << 8

  private static func code(of error: any Error) -> Int32 {
    switch error {
    case let error as SQLiteError: error.code
    case let error as StoreError: code(of: error)
    case VirtualTableError.damaged: corruptTable
    case VirtualTableError.rowIDType: SQLITE_MISMATCH
    case let error as SegmentError: code(of: error)
    case BuildError.cancelled: SQLITE_INTERRUPT
    default: SQLITE_ERROR
    }
  }

  private static func code(of error: StoreError) -> Int32 {
    switch error {
    // SQLite acts on the conflict clause when it gets exactly this.
    case .rowExists: SQLITE_CONSTRAINT
    case .rowIDsExhausted: SQLITE_FULL
    case .damagedDefinition, .damagedDelta, .damagedTombstone, .repeatedSegment, .foreignSegment: corruptTable
    case .segment(_, let error): code(of: error)
    default: SQLITE_ERROR
    }
  }

  /// What SQLite says when the same befalls its own files; only what a file holds is corruption.
  private static func code(of error: SegmentError) -> Int32 {
    switch error {
    case .notFound: return SQLITE_CANTOPEN
    case .stopped: return SQLITE_INTERRUPT
    case .io(_, let code, _):
      switch code {
      case ENOSPC, EDQUOT, EFBIG: return SQLITE_FULL
      case EROFS: return SQLITE_READONLY
      case EACCES, EPERM: return SQLITE_CANTOPEN
      default: return SQLITE_IOERR
      }
    default: return corruptTable
    }
  }
}
