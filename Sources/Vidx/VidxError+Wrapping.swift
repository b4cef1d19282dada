internal import VidxIndexes
internal import VidxSQLite
internal import VidxSegments
internal import VidxVectors

/// SQLite's primary result codes that mean something of their own here (sqlite3.h; the numbers are its stable ABI).
private enum ResultCode {
  static let permission: Int32 = 3
  static let busy: Int32 = 5
  static let locked: Int32 = 6
  static let readOnly: Int32 = 8
  /// SQLITE_READONLY_CANTINIT and SQLITE_READONLY_DIRECTORY
  static let readOnlyLog: Set<Int32> = [8 | 5 << 8, 8 | 6 << 8]
  static let interrupt: Int32 = 9
  static let ioError: Int32 = 10
  static let corrupt: Int32 = 11
  static let full: Int32 = 13
  static let cannotOpen: Int32 = 14
  static let constraint: Int32 = 19
  static let notADatabase: Int32 = 26
}

extension VidxError {
  /// The façade's error for one of a layer below. An error that is a `VidxError` already stays as it is.
  package init(wrapping error: any Error) {
    switch error {
    case let error as VidxError: self = error
    case let error as SQLiteError: self.init(error)
    case let error as FilterError: self.init(Self.code(of: error), error.description, cause: error)
    case let error as StoreError: self.init(error)
    case let error as BackupError:
      self.init(error == .insideTransaction ? .other : .alreadyExists, "\(error)", cause: error)
    case let error as SegmentError: self.init(Self.code(of: error), error.message, cause: error)
    case let error as BuildError: self.init(error)
    case let error as IndexArgumentError: self.init(.badOption, "\(error)", cause: error)
    case let error as VectorError: self.init(.badVector, "\(error)", cause: error)
    case let error as VectorLiteralError: self.init(.badVector, "\(error)", cause: error)
    case is CancellationError: self.init(.cancelled, "cancelled; nothing was changed", cause: error)
    default: self.init(.other, "\(error)", cause: error)
    }
  }

  private init(_ error: SQLiteError) {
    switch error.code {
    case ResultCode.notADatabase:
      self.init(.notADatabase, "the file is not an SQLite database; check the path", cause: error)
    case ResultCode.busy, ResultCode.locked:
      self.init(.busy, "another process is writing to the database; try again when it is done", cause: error)
    case ResultCode.readOnly where ResultCode.readOnlyLog.contains(error.extendedCode):
      self.init(
        .cannotOpen,
        "the database has a write-ahead log, which can only be read where its folder may be written; give permission, "
          + "or run PRAGMA journal_mode = DELETE on it where you may write",
        cause: error)
    case ResultCode.readOnly:
      self.init(
        .readOnly, "the database is read-only; check the permissions of the file and of its folder", cause: error)
    case ResultCode.permission, ResultCode.cannotOpen:
      self.init(
        .cannotOpen, "\(error.message); check that the path exists and may be opened", cause: error)
    case ResultCode.full:
      self.init(.storage, "the disk is full; free some space, nothing was changed", cause: error)
    case ResultCode.ioError: self.init(.storage, "\(error.message); check the disk", cause: error)
    case ResultCode.corrupt:
      self.init(.corrupt, "\(error.message); restore a backup if `vidx check` finds problems", cause: error)
    case ResultCode.constraint: self.init(.constraint, error.message, cause: error)
    case ResultCode.interrupt: self.init(.cancelled, "cancelled; nothing was changed", cause: error)
    default: self.init(.sql, error.message, cause: error)
    }
  }

  private static func code(of error: FilterError) -> Code {
    switch error {
    case .timeout: .timeout
    case .valueCount: .badOption
    default: .badCondition
    }
  }

  private init(_ error: StoreError) {
    let code: Code =
      switch error {
      case .noIndex: .noSuchIndex
      case .vector, .query: .badVector
      case .otherModel: .wrongModel
      case .invalidCount, .invalidTargetRecall, .noFilterColumn, .missingPlan, .planOfStream: .badOption
      case .rowExists, .repeatedRowIDs, .rowsExist, .rowIDsExhausted: .constraint
      case .noRow: .noSuchRow
      case .content, .contentRow: .badRows
      case .overtaken: .busy
      case .segment(_, let error): Self.code(of: error)
      case .damagedDefinition, .damagedDelta, .damagedTombstone, .repeatedSegment, .foreignSegment: .corrupt
      default: .other
      }
    self.init(code, error.message, cause: error)
  }

  /// A file that cannot be read or written now is not a damaged one.
  private static func code(of error: SegmentError) -> Code {
    switch error {
    case .stopped: .cancelled
    case .io: .storage
    default: .corrupt
    }
  }

  private init(_ error: BuildError) {
    switch error {
    case .badVector(let row, _, let reason):
      self.init(.badVector, "row \(row + 1): \(reason); correct or leave out this row", cause: error)
    case .duplicateRowID: self.init(.constraint, "\(error)", cause: error)
    case .tooManyRows: self.init(.badRows, "\(error)", cause: error)
    case .codec, .tooLittleMemory: self.init(.badOption, "\(error)", cause: error)
    case .cancelled: self.init(.cancelled, "cancelled; nothing was changed", cause: error)
    }
  }
}

/// Runs a body whose errors are those of the layers below, throwing the façade's.
func wrappingErrors<Result>(_ body: () throws -> Result) throws(VidxError) -> Result {
  do { return try body() } catch { throw VidxError(wrapping: error) }
}
