import Foundation
import Testing

/// What the library needs and shows.
@Suite(.needsAPlainLibrary) struct LibraryTests {
  #if os(Linux)
    @Test func needsTheSystemsCLibrariesOnly() throws {
      let library = try InstalledExtension()
      // -r resolves every symbol: a function of SQLite that is not forwarded would show.
      let outcome = try HostProgram.run("/usr/bin/ldd", ["-r", library.file.path], in: library.folder)
      #expect(outcome.status == 0 && !(outcome.output + outcome.errors).contains("undefined symbol"), "\(outcome)")
      let allowed = [
        "linux-vdso", "ld-linux", "libc.", "libm.", "libdl.", "libpthread.", "librt.", "libstdc++.", "libgcc_s.",
      ]
      for line in outcome.output.split(separator: "\n") {
        let name = line.split(whereSeparator: \.isWhitespace).first.map { $0.split(separator: "/").last ?? $0 } ?? ""
        #expect(allowed.contains { name.hasPrefix($0) }, "the library needs \(line)")
      }
      #expect(outcome.output.contains("libc."))
    }
  #endif

  @Test func showsItsEntryPointsOnly() throws {
    let library = try InstalledExtension()
    let outcome = try library.python(
      """
      import ctypes
      library = ctypes.CDLL(EXTENSION + ".so" if sys.platform != "darwin" else EXTENSION + ".dylib")
      for name in ["sqlite3_vidx_init", "sqlite3_extension_init", "vidx_register", "vidx_sqlite", "sqlite3_free",
          "sqlite3_prepare_v3", "swift_retain", "vidx_kernels_active", "vidx_crc32c", "swift_allocObject", "vidx_find_sqlite", "vidx_open",
          "vidx_search"]:
        print(name, hasattr(library, name))
      """)
    let shown = outcome.output.split(separator: "\n").filter { $0.hasSuffix("True") }
    let expected = ["sqlite3_vidx_init True", "sqlite3_extension_init True", "vidx_open True", "vidx_search True"]
    #expect(shown.map(String.init) == expected, "\(outcome.output)\(outcome.errors)")
    #expect(outcome.output.split(separator: "\n").count == 13)
  }

  /// A host whose SQLite is too old, and a second copy of SQLite in the process: made of a table of routines that
  /// holds nothing but what the entry point may call then.
  private static let fakeHost = """
    import ctypes, re
    library = ctypes.CDLL(EXTENSION + (".dylib" if sys.platform == "darwin" else ".so"))
    header = open("/usr/include/sqlite3ext.h").read()
    table = header[header.index("struct sqlite3_api_routines {"):]
    table = re.sub(r"/\\*.*?\\*/", "", table[:table.index("};")], flags=re.S)
    members = [m for line in table.split(";") for m in re.findall(r"\\(\\*\\s*(\\w+)\\)\\s*\\(", line)[:1]]
    formats = []
    number = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: VERSION)
    text = ctypes.CFUNCTYPE(ctypes.c_void_p)(lambda: ctypes.cast(b"x.y", ctypes.c_void_p).value)
    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)
    def mprintf(format):
      formats.append(format.decode())
      return 1234
    routines = (ctypes.c_void_p * len(members))()
    for name, function in [("libversion_number", number), ("libversion", text), ("mprintf", mprintf)]:
      routines[members.index(name)] = ctypes.cast(function, ctypes.c_void_p)
    def load():
      message = ctypes.c_void_p()
      code = library.sqlite3_vidx_init(None, ctypes.byref(message), routines)
      print(code, message.value, "".join(formats))
    """

  @Test(arguments: [3_037_002, 3_008_000])
  func refusesAnOldHost(_ version: Int) throws {
    let outcome = try InstalledExtension().python("VERSION = \(version)\n\(Self.fakeHost)\nload()")
    #expect(outcome.output.hasPrefix("1 1234 vidx needs SQLite %d.%d or newer"), "\(outcome.output)\(outcome.errors)")
  }

  @Test func refusesASecondCopyOfSQLite() throws {
    let outcome = try InstalledExtension().python(
      """
      import sqlite3
      db = sqlite3.connect(":memory:")
      db.enable_load_extension(True)
      db.load_extension(EXTENSION)
      VERSION = 3099000
      \(Self.fakeHost)
      load()
      print(db.execute("SELECT vector_dims('[1,2]')").fetchone()[0])
      """)
    #expect(
      outcome.output.hasPrefix("1 1234 vidx is in use by another copy of SQLite") && outcome.output.hasSuffix("\n2\n"),
      "\(outcome.output)\(outcome.errors)")
  }
}
