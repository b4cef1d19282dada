import Foundation
import Testing

/// What a program that was run has answered.
struct ProgramOutcome {
  var status: Int32
  var output: String
  var errors: String
}

/// The programs that load the extension, as they come with the system.
enum HostProgram {
  static let shell = "/usr/bin/sqlite3"
  static let python = "/usr/bin/python3"

  /// Runs a program to its end.
  /// - Parameters:
  ///   - input: what it reads from standard input.
  ///   - folder: where it runs.
  static func run(_ program: String, _ arguments: [String] = [], input: String = "", in folder: URL) throws
    -> ProgramOutcome
  {
    try #require(
      FileManager.default.isExecutableFile(atPath: program), "\(program) is missing: scripts/install-packages.sh test")
    // Files, not pipes: nothing blocks, however much is written.
    let name = UUID().uuidString
    let (stdin, stdout, stderr) = (
      folder.appendingPathComponent("\(name).in"), folder.appendingPathComponent("\(name).out"),
      folder.appendingPathComponent("\(name).err")
    )
    try Data(input.utf8).write(to: stdin)
    for file in [stdout, stderr] { try Data().write(to: file) }
    defer { for file in [stdin, stdout, stderr] { try? FileManager.default.removeItem(at: file) } }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = folder
    // Nothing of the build may help the library to load.
    process.environment = ["PATH": "/usr/bin:/bin", "HOME": folder.path, "LC_ALL": "C.UTF-8"]
    process.standardInput = try FileHandle(forReadingFrom: stdin)
    process.standardOutput = try FileHandle(forWritingTo: stdout)
    process.standardError = try FileHandle(forWritingTo: stderr)
    try process.run()
    process.waitUntilExit()
    return ProgramOutcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try String(contentsOf: stdout, encoding: .utf8), errors: try String(contentsOf: stderr, encoding: .utf8))
  }
}

extension Trait where Self == ConditionTrait {
  /// A library built with a sanitizer needs the sanitizer's runtime in the program that loads it.
  static var needsAPlainLibrary: Self {
    .enabled("built with a sanitizer") { ProcessInfo.processInfo.environment["VIDX_SANITIZER"] == nil }
  }
}

/// The built library, copied as `libvidx.so` into a folder of its own that goes with the object.
final class InstalledExtension {
  let folder: URL
  /// The library, without the suffix: how `load_extension` likes it.
  let path: String
  let file: URL

  #if os(macOS)
    private static let suffix = "dylib"
  #else
    private static let suffix = "so"
  #endif

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("vidx-extension-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    file = folder.appendingPathComponent("libvidx.\(Self.suffix)")
    path = folder.appendingPathComponent("libvidx").path
    let built = try Self.builtLibrary()
    try FileManager.default.copyItem(at: built, to: file)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// `VIDX_EXTENSION` names it; otherwise it lies beside the test bundle.
  private static func builtLibrary() throws -> URL {
    if let named = ProcessInfo.processInfo.environment["VIDX_EXTENSION"] { return URL(fileURLWithPath: named) }
    let name = "libvidx-extension.\(suffix)"
    let candidates = Bundle.allBundles.map { $0.bundleURL } + [URL(fileURLWithPath: CommandLine.arguments[0])]
    for candidate in candidates {
      var folder = candidate
      for _ in 0..<4 {
        folder.deleteLastPathComponent()
        let library = folder.appendingPathComponent(name)
        if FileManager.default.fileExists(atPath: library.path) { return library }
      }
    }
    throw Missing(name: name)
  }

  struct Missing: Error, CustomStringConvertible {
    var name: String
    var description: String {
      "\(name) is not beside the tests: swift build --product vidx-extension, or name a library in VIDX_EXTENSION"
    }
  }

  /// Runs the stock shell on `test.db` in the folder, with the extension loaded.
  func shell(_ sql: String, database: String = "test.db") throws -> ProgramOutcome {
    try HostProgram.run(
      HostProgram.shell, ["-batch", "-bail", database], input: ".load \(path)\n\(sql)\n", in: folder)
  }

  /// Runs a script in the system's Python; `EXTENSION` is the path of the library.
  func python(_ script: String) throws -> ProgramOutcome {
    try HostProgram.run(
      HostProgram.python, ["-", path], input: "import sys\nEXTENSION = sys.argv[1]\n\(script)\n", in: folder)
  }
}
