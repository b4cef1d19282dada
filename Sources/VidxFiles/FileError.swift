/// What is wrong with a file of vectors or rows, where, and what to do about it.
package struct FileError: Error, Equatable, Sendable {
  /// Where in the file. Lines and rows count from 1, as editors and people do.
  package enum Place: Equatable, Sendable {
    case file
    /// A line of text: .jsonl and .csv.
    case line(Int)
    /// A vector of a binary file.
    case row(Int)
  }

  package enum Reason: Equatable, Sendable {
    case system(operation: String, errno: Int32)
    case unknownFormat(supported: [String])
    case empty
    case truncated(expected: Int, actual: Int)
    case surplus(expected: Int, actual: Int)
    case changed
    // .npy
    case notNPY
    case npyVersion(major: UInt8, minor: UInt8)
    case npyHeader(expected: String)
    case elementType(found: String)
    case bigEndian(found: String)
    case fortranOrder
    case shape([Int])
    // Vectors of any format
    case dimensions(expected: Int, actual: Int)
    case tooManyDimensions(Int, limit: Int)
    case notFinite(index: Int)
    case missingField(name: String, present: [String])
    case notAVector(field: String, found: String)
    case notANumber(field: String, index: Int, found: String)
    // Text
    case json(JSONError)
    case notUTF8
    case blankLine
    case lineTooLong(limit: Int)
    case notAnObject(found: String)
    case repeatedField(String)
    case repeatedColumn(String, String)
    case unnamedColumn(position: Int)
    case nulInColumnName
    case keyNotWhole(column: String)
    case noColumns
    case tooManyColumns(limit: Int)
    case fieldCount(expected: Int, actual: Int)
    case unterminatedQuote
    case textAfterQuote
    case quoteInsideField
  }

  package let path: String
  package let place: Place
  package let reason: Reason

  package init(path: String, place: Place = .file, reason: Reason) {
    self.path = path
    self.place = place
    self.reason = reason
  }

  /// One line: the file, the place, what was found, what to do.
  package var message: String {
    switch place {
    case .file: "\(path): \(reason.finding); \(reason.remedy)"
    case .line(let line): "\(path), line \(line): \(reason.finding); \(reason.remedy)"
    case .row(let row): "\(path), row \(row): \(reason.finding); \(reason.remedy)"
    }
  }

  /// What to do about it, alone.
  package var remedy: String { reason.remedy }
}

extension FileError: CustomStringConvertible {
  package var description: String { message }
}
