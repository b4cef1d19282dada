#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Standard output and error, without Foundation.
enum Terminal {
  static let isErrorTerminal = isatty(STDERR_FILENO) == 1
  static let isOutputTerminal = isatty(STDOUT_FILENO) == 1

  /// Columns for tables on standard output: the terminal's, 120 for a pipe or a file.
  static var width: Int {
    guard isOutputTerminal else { return 120 }
    var size = winsize()
    let known = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return known ? Int(size.ws_col) : 80
  }

  static func print(_ text: String) { write((isOutputTerminal ? visible(text) : text) + "\n", to: STDOUT_FILENO) }

  /// A diagnostic for people.
  static func warn(_ text: String) { write("vidx: \(visible(text))\n", to: STDERR_FILENO) }

  /// Names and texts of a database may hold what moves the cursor, renames the window or worse: such characters become
  /// question marks; line breaks and tabs stay.
  static func visible(_ text: String) -> String {
    func isHidden(_ scalar: Unicode.Scalar) -> Bool {
      scalar.value < 0x20 ? scalar != "\n" && scalar != "\t" : (0x7F...0x9F).contains(scalar.value)
    }
    guard text.unicodeScalars.contains(where: isHidden) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isHidden($0) ? "?" : $0 }))
  }

  /// Writes all of the text. A reader that has gone (`vidx search | head -1`) is not a failure of ours: SIGPIPE ends
  /// the process quietly; any other failure to write ends it with code 1, because output is lost.
  static func write(_ text: String, to descriptor: Int32) {
    var copy = text
    let failed = copy.withUTF8 { bytes in
      var written = 0
      while written < bytes.count {
        let rest = unsafe UnsafeBufferPointer(rebasing: bytes[written...])
        #if canImport(Glibc)
          let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
        #else
          let count = unsafe Darwin.write(descriptor, rest.baseAddress, rest.count)
        #endif
        if count < 0 {
          if errno == EINTR { continue }
          return true
        }
        written += count
      }
      return false
    }
    if failed, descriptor == STDOUT_FILENO {
      warn("cannot write the output: \(unsafe String(cString: strerror(errno)))")
      exit(1)
    }
  }
}
