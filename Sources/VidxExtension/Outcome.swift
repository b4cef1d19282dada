import CVidxExtension
import VidxIndexes
import VidxSQLite
import VidxSegments
import VidxVectors

/// Why a function of vidx.h has failed: its code and what it says.
struct Failure: Error {
  let code: Int
  let message: String

  init(_ code: Int, _ message: String) {
    self.code = code
    self.message = message
  }

  init(_ error: any Error) {
    switch error {
    case let error as Failure: self = error
    case let error as SQLiteError: self.init(Self.code(of: error), error.description)
    case let error as FilterError: self.init(Self.code(of: error), error.description)
    case let error as StoreError: self.init(Self.code(of: error), error.message)
    case let error as SegmentError: self.init(Self.code(of: error), error.message)
    case let error as IndexArgumentError: self.init(VIDX_BAD_ARGUMENT, error.description)
    case let error as BuildError: self.init(Self.code(of: error), error.description)
    default: self.init(VIDX_ERROR, "\(error)")
    }
  }

  private static func code(of error: SQLiteError) -> Int {
    // The numbers are SQLite's stable ABI.
    switch error.code {
    case 3, 14: VIDX_CANNOT_OPEN
    case 5, 6: VIDX_BUSY
    case 8, 10, 13: VIDX_STORAGE
    case 9: VIDX_CANCELLED
    case 11, 26: VIDX_CORRUPT
    default: VIDX_ERROR
    }
  }

  private static func code(of error: FilterError) -> Int {
    if case .timeout = error { VIDX_TIMEOUT } else { VIDX_BAD_ARGUMENT }
  }

  private static func code(of error: StoreError) -> Int {
    switch error {
    case .noIndex: VIDX_NO_INDEX
    case .nameTaken, .rowExists, .rowsExist: VIDX_EXISTS
    case .vector, .query: VIDX_BAD_VECTOR
    case .otherModel: VIDX_WRONG_MODEL
    case .invalidCount, .repeatedRowIDs, .inMemory, .noFilterColumn, .missingPlan: VIDX_BAD_ARGUMENT
    case .overtaken: VIDX_BUSY
    case .segment(_, let error): code(of: error)
    case .damagedDefinition, .damagedDelta, .damagedTombstone, .repeatedSegment, .foreignSegment: VIDX_CORRUPT
    default: VIDX_ERROR
    }
  }

  private static func code(of error: SegmentError) -> Int {
    // A file that cannot be read or written now is not a damaged one.
    switch error {
    case .stopped: VIDX_CANCELLED
    case .io: VIDX_STORAGE
    default: VIDX_CORRUPT
    }
  }

  private static func code(of error: BuildError) -> Int {
    switch error {
    case .badVector: VIDX_BAD_VECTOR
    case .duplicateRowID, .tooManyRows, .codec, .tooLittleMemory: VIDX_BAD_ARGUMENT
    case .cancelled: VIDX_CANCELLED
    }
  }
}

public typealias ErrorText = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// Runs the body of a function of vidx.h, with SQLite there to be called.
/// - Parameter message: where the text of an error goes; nil when nobody wants it.
/// - Returns: the function's result.
func outcome(_ message: ErrorText?, _ body: () throws -> Void) -> Int32 {
  do {
    if let problem = unsafe vidx_find_sqlite() { throw unsafe Failure(VIDX_ERROR, String(cString: problem)) }
    try body()
    return Int32(VIDX_OK)
  } catch {
    let failure = Failure(error)
    if let message = unsafe message { unsafe message.pointee = vidx_copy_text(failure.message) }
    return Int32(failure.code)
  }
}

/// A text that must be given.
func required(_ text: UnsafePointer<CChar>?, _ name: String) throws(Failure) -> String {
  guard let text = unsafe text else { throw Failure(VIDX_BAD_ARGUMENT, "\(name) is NULL; give one") }
  return unsafe String(cString: text)
}

/// A pointer to memory that must be given, unless there is nothing in it.
func required<Element>(_ pointer: UnsafePointer<Element>?, _ name: String, count: Int) throws(Failure)
  -> UnsafeBufferPointer<Element>
{
  // A size_t beyond Int comes as a negative number.
  guard count >= 0 else { throw Failure(VIDX_BAD_ARGUMENT, "there are too many \(name)") }
  guard unsafe pointer != nil || count == 0 else { throw Failure(VIDX_BAD_ARGUMENT, "\(name) is NULL; give \(count)") }
  return unsafe UnsafeBufferPointer(start: pointer, count: count)
}
