#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A field of the header, as docs/FORMAT.md calls it.
package enum HeaderField: String, Sendable {
  case version, headerLength, blockSize, indexKind, metric, codec, dimensions, vectorCount, entryCount
  case fileLength, sectionCount, reserved
}

/// What is wrong with a line of the section table.
package enum SectionFault: String, Sendable {
  case unknownKind = "is of no kind that this version knows"
  case duplicate = "is listed twice"
  case misaligned = "does not begin at a multiple of 4096 bytes"
  case outOfBounds = "reaches beyond the file"
  case checksumsMisaligned = "has checksums that do not begin at a multiple of 4 bytes"
  case checksumsOutOfBounds = "has checksums that reach beyond the file"
  case overlap = "overlaps another part of the file"
}

/// A system call of `FileSystem`, as messages name it.
package enum FileOperation: String, Sendable {
  case open, create, read, write, status, setPermissions, setOwner, synchronize, rename, link, remove, makeDirectory,
    list
  case lock, map
}

/// What can go wrong with segments and their folder. `description` names the file and says what to do.
package enum SegmentError: Error, Equatable, Sendable {
  /// There is no file at this path.
  case notFound(path: String)
  /// The file does not begin as a segment does.
  case notASegment(path: String)
  /// The header's own checksum does not match.
  case headerChecksumMismatch(expected: UInt32, found: UInt32, path: String)
  /// A later vidx wrote the file.
  case newerVersion(found: UInt32, supported: UInt32, path: String)
  /// The file is shorter than it says it is. In bytes.
  case truncated(expected: Int, found: Int, path: String)
  /// The file is longer than it says it is. In bytes.
  case trailingBytes(expected: Int, found: Int, path: String)
  /// A field of the header has a value that cannot be.
  case invalidHeader(field: HeaderField, value: UInt64, path: String)
  /// The section table contradicts itself or the file. `section` is the code in the file.
  case invalidSection(section: UInt32, fault: SectionFault, path: String)
  /// The array of block checksums of a section is damaged.
  case checksumArrayMismatch(section: SectionKind, expected: UInt32, found: UInt32, path: String)
  /// A block of 64 KiB is damaged. `block` counts from 0 within the section.
  case checksumMismatch(section: SectionKind, block: Int, expected: UInt32, found: UInt32, path: String)
  /// A block is as it was written, but what it says cannot be. `offset` is the block's, within the section.
  case invalidContent(section: SectionKind, offset: Int, path: String)
  /// The index needs this section.
  case missingSection(section: SectionKind, path: String)
  /// A section is not as long as the header's counts require. In bytes.
  case wrongSectionLength(section: SectionKind, expected: Int, found: Int, path: String)
  /// A byte between two parts of the file is not zero.
  case nonZeroPadding(offset: Int, path: String)
  /// A segment of this name is there already.
  case alreadyExists(path: String)
  /// A name that is not that of a segment of this folder.
  case invalidFileName(name: String)
  /// Nothing is wrong: whoever asked for the work wants it no more.
  case stopped
  /// A system call failed. `code` is errno.
  case io(operation: FileOperation, code: Int32, path: String)
}

extension SegmentError: CustomStringConvertible {
  /// Same as `message`.
  package var description: String { message }

  /// One or two sentences: what is wrong with which file, then what to do about it.
  package var message: String {
    switch self {
    case .notFound(let path):
      "There is no segment file \(path). If the database was moved, move the folder beside it too; "
        + "otherwise restore the file from a backup. \(Self.anew)"
    case .notASegment(let path):
      "\(path) is not a vidx segment, or its writing never finished. \(Self.rebuild)"
    case .newerVersion(let found, let supported, let path):
      "\(path) is a segment of format version \(found); this vidx reads versions up to \(supported). "
        + "Use a newer vidx."
    case .alreadyExists(let path):
      "There is a segment file \(path) already; segments are never overwritten. Choose another name."
    case .invalidFileName(let name):
      "'\(name)' is not the name of a segment file. The list of segments in the database is damaged: "
        + "`vidx check` lists all that is damaged; restore a backup. \(Self.anew)"
    case .stopped: "cancelled before it was done"
    case .io(let operation, let code, let path):
      Self.ioMessage(operation, code, path)
    default:
      "\(damage). \(Self.rebuild)"
    }
  }

  private static let rebuild =
    "`vidx check` lists all that is damaged; restore those files from a backup. \(anew)"

  /// Only a content table has what a rebuild needs.
  private static let anew =
    "Without one, rebuild the index if it is on a content table; otherwise drop it, make it again and write its rows "
    + "again."

  /// The first half of the message of those errors whose remedy is `rebuild`.
  private var damage: String {
    switch self {
    case .headerChecksumMismatch(let expected, let found, let path):
      "The header of \(path) is damaged: checksum \(hexadecimal(found)), expected \(hexadecimal(expected))"
    case .truncated(let expected, let found, let path):
      "\(path) is cut short: \(found) of \(expected) bytes"
    case .trailingBytes(let expected, let found, let path):
      "\(path) is too long: \(found) bytes where its header says \(expected)"
    case .invalidHeader(let field, let value, let path):
      "The header of \(path) is invalid: \(field.rawValue) cannot be \(value)"
    case .invalidSection(let section, let fault, let path):
      "The section table of \(path) is invalid: section \(Self.name(ofSection: section)) \(fault.rawValue)"
    case .checksumArrayMismatch(let section, let expected, let found, let path):
      "The checksums of section \(section) of \(path) are damaged: "
        + "checksum \(hexadecimal(found)), expected \(hexadecimal(expected))"
    case .checksumMismatch(let section, let block, let expected, let found, let path):
      "Section \(section) of \(path) is damaged in block \(block): "
        + "checksum \(hexadecimal(found)), expected \(hexadecimal(expected))"
    case .invalidContent(let section, let offset, let path):
      "Section \(section) of \(path) holds impossible values in the block at byte \(offset)"
    case .missingSection(let section, let path):
      "\(path) has no section \(section)"
    case .wrongSectionLength(let section, let expected, let found, let path):
      "Section \(section) of \(path) is \(found) bytes long where the header's counts require \(expected)"
    case .nonZeroPadding(let offset, let path):
      "\(path) is damaged: byte \(offset) lies between sections and is not zero"
    case .notFound, .notASegment, .newerVersion, .alreadyExists, .invalidFileName, .stopped, .io:
      preconditionFailure("\(Self.self).message writes this one itself")
    }
  }

  private static func name(ofSection code: UInt32) -> String {
    SectionKind(rawValue: code)?.description ?? "\(code)"
  }

  private static func ioMessage(_ operation: FileOperation, _ code: Int32, _ path: String) -> String {
    let reason = unsafe String(cString: strerror(code))
    let remedy =
      switch code {
      case ENOSPC, EDQUOT: "Free some space and try again; nothing was changed."
      case EACCES, EPERM: "Check the owner and permissions of the file and its folder."
      case EROFS: "Make the file system writable, or copy the database and its folder to one that is."
      case EMFILE, ENFILE: "Raise the limit of open files (`ulimit -n`) and try again."
      case ENOMEM: "Free some memory, or raise the limit of mapped memory (`ulimit -v`), and try again."
      case EIO: "The device reports an error: check the disk before trusting the file."
      default: "Check that the folder exists and is on a local file system."
      }
    return "\(path): \(operation.rawValue) failed: \(reason). \(remedy)"
  }
}

/// `0x` and eight digits.
private func hexadecimal(_ value: UInt32) -> String {
  let digits = String(value, radix: 16)
  return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}
