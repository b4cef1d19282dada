#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension FileError.Reason {
  /// What was found, without the file's name.
  var finding: String {
    switch self {
    case .system(let operation, let number): "cannot \(operation): \(unsafe String(cString: strerror(number)))"
    case .unknownFormat: "the file name does not say its format"
    case .empty: "the file holds no rows"
    case .truncated(let expected, let actual): "truncated: \(expected) bytes expected, \(actual) found"
    case .surplus(let expected, let actual): "too long: \(expected) bytes expected, \(actual) found"
    case .changed: "the file changed while it was being read"
    default: vectorFinding ?? textFinding
    }
  }

  private var vectorFinding: String? {
    switch self {
    case .notNPY: "not a NumPy file: it does not begin with \\x93NUMPY"
    case .npyVersion(let major, let minor): "NumPy format version \(major).\(minor), versions 1 to 3 are read"
    case .npyHeader(let expected): "the NumPy header is damaged: \(expected) expected"
    case .elementType(let found): "element type \(found), float16 ('<f2') and float32 ('<f4') are read"
    case .bigEndian(let found): "big-endian elements (\(found))"
    case .fortranOrder: "the array is in Fortran (column) order"
    case .shape(let shape):
      "an array of shape (\(shape.map(String.init).joined(separator: ", "))), two axes (rows, dimensions) expected"
    case .dimensions(let expected, let actual): "\(actual) dimensions, \(expected) in the rows before"
    case .tooManyDimensions(let count, let limit): "\(count) dimensions, at most \(limit) are read"
    case .notFinite(let index): "element \(index) is NaN or infinite"
    case .missingField(let name, let present):
      "no field \"\(name)\"; the object has \(present.isEmpty ? "no fields" : present.joined(separator: ", "))"
    case .notAVector(let field, let found): "field \"\(field)\" is \(found), an array of numbers expected"
    case .notANumber(let field, let index, let found): "element \(index) of field \"\(field)\" is \(found)"
    default: nil
    }
  }

  private var textFinding: String {
    switch self {
    case .json(let error): "not JSON: \(error.message)"
    case .notUTF8: "the text is not UTF-8"
    case .blankLine: "an empty line between rows"
    case .lineTooLong(let limit): "a line of more than \(limit) bytes"
    case .notAnObject(let found): "\(found) where an object was expected"
    case .repeatedField(let name): "field \"\(name)\" occurs twice in one object"
    case .repeatedColumn(let first, let second) where first == second: "column \"\(first)\" occurs twice"
    case .repeatedColumn(let first, let second):
      "columns \"\(first)\" and \"\(second)\" differ in case only, which SQL does not tell apart"
    case .unnamedColumn(let position): "column \(position) has no name"
    case .nulInColumnName: "a column's name holds the character NUL, which SQL cannot write"
    case .keyNotWhole(let column): "\"\(column)\" is not a whole number of 64 bits, and so no key of a row"
    case .noColumns: "the rows have no columns"
    case .tooManyColumns(let limit): "more than \(limit) columns"
    case .fieldCount(let expected, let actual): "\(actual) fields, the header has \(expected)"
    case .unterminatedQuote: "a quoted field that starts here is never closed"
    case .textAfterQuote: "text after a closing quote"
    case .quoteInsideField: "a quote inside a field that is not quoted"
    default: "unreadable"
    }
  }

  /// What to do, as an instruction.
  var remedy: String {
    switch self {
    case .system: "check the path and its permissions"
    case .unknownFormat(let supported): "use a name that ends in \(supported.joined(separator: ", "))"
    case .empty: "give a file with at least one row"
    case .truncated: "copy or save the file again"
    case .surplus: "save one array to a file"
    case .changed: "run again when nothing writes to it"
    default: vectorRemedy ?? textRemedy
    }
  }

  private var vectorRemedy: String? {
    switch self {
    case .notNPY, .npyHeader, .npyVersion: "save it with numpy.save(file, array.astype('<f4'))"
    case .elementType, .bigEndian: "convert it: numpy.save(file, array.astype('<f4'))"
    case .fortranOrder: "convert it: numpy.save(file, numpy.ascontiguousarray(array))"
    case .shape: "reshape it: numpy.save(file, array.reshape(-1, dimensions))"
    case .dimensions: "give all vectors the same dimensions"
    case .tooManyDimensions: "check that the file holds vectors"
    case .notFinite: "remove or recompute this vector"
    case .missingField: "add the field to this line, or name the one that holds the vector"
    case .notAVector, .notANumber: "write the vector as a JSON array of numbers"
    default: nil
    }
  }

  private var textRemedy: String {
    switch self {
    case .json(let error) where error.reason == .number || error.reason == .numberRange:
      "write numbers as JSON does; remove or recompute values that are none"
    case .json: "write one JSON object per line"
    case .notUTF8: "convert the file to UTF-8"
    case .blankLine: "delete the line or fill in the row: rows and vectors are matched by position"
    case .lineTooLong: "check that rows are separated by newlines"
    case .notAnObject: "write one JSON object per line"
    case .repeatedField: "keep one of the two"
    case .repeatedColumn, .unnamedColumn: "give every column a name of its own"
    case .nulInColumnName: "give the column another name"
    case .keyNotWhole: "give every row a whole number below 2^63, or give the column another name"
    case .noColumns: "give the rows at least one field"
    case .tooManyColumns: "leave some out; tables of SQLite have no more"
    case .fieldCount: "quote fields that hold commas or newlines, and fill missing ones with nothing between commas"
    case .unterminatedQuote: "close the quote, and double quotes inside quoted fields"
    case .textAfterQuote, .quoteInsideField: "quote the whole field and double the quotes inside it"
    default: "check the file"
    }
  }
}
