/// What went wrong, for programs (`code`) and people (`message`, which says what to do next).
public struct VidxError: Error, Sendable {
  /// New codes may come with new versions: keep a `default`.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// The database cannot be opened: no such file, no permission.
    public static let cannotOpen = Code(description: "cannotOpen")
    /// The file is not an SQLite database.
    public static let notADatabase = Code(description: "notADatabase")
    /// The database may not be written to.
    public static let readOnly = Code(description: "readOnly")
    /// Another connection holds the lock.
    public static let busy = Code(description: "busy")
    /// The disk is full, or a file cannot be written.
    public static let storage = Code(description: "storage")
    /// There is no index of that name.
    public static let noSuchIndex = Code(description: "noSuchIndex")
    /// A table or index of that name is there already.
    public static let alreadyExists = Code(description: "alreadyExists")
    /// A vector cannot be taken: wrong dimensions, NaN or infinity, zero where a direction is needed.
    public static let badVector = Code(description: "badVector")
    /// The vectors are said to be of another embedding model than the index's.
    public static let wrongModel = Code(description: "wrongModel")
    /// An option or argument is out of its range.
    public static let badOption = Code(description: "badOption")
    /// The condition of a search is not one, or has no table to speak of.
    public static let badCondition = Code(description: "badCondition")
    /// Rows and vectors, or rows and their table, do not agree.
    public static let badRows = Code(description: "badRows")
    /// No row of that id.
    public static let noSuchRow = Code(description: "noSuchRow")
    /// A constraint of a table, or a row id that is there already.
    public static let constraint = Code(description: "constraint")
    /// A file of the index is missing or damaged.
    public static let corrupt = Code(description: "corrupt")
    /// The work was cancelled; nothing was changed.
    public static let cancelled = Code(description: "cancelled")
    /// A condition was not evaluated in the time it was given.
    public static let timeout = Code(description: "timeout")
    /// SQLite refused a statement.
    public static let sql = Code(description: "sql")
    /// Something else of a layer below; `cause` has it.
    public static let other = Code(description: "other")
  }

  public let code: Code
  /// One line: what was found, and after a semicolon what to do. For SQL that does not compile two more: the SQL, and a
  /// caret under the place.
  public let message: String
  /// The error of the layer below, for logs; nil when there is none.
  public let cause: (any Error)?

  package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }
}

extension VidxError: CustomStringConvertible {
  public var description: String { message }
}
