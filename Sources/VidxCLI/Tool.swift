import Vidx
import VidxFiles
import VidxSQLite
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// One thing the tool does.
protocol Command: SendableMetatype {
  static var syntax: CommandSyntax { get }

  /// Judges the arguments; touches nothing.
  init(_ arguments: Arguments) throws

  /// - Returns: the exit code.
  func run() throws -> Int32
}

/// The program: picks the command, prints errors, decides the exit code.
enum Tool {
  static let commands: [any Command.Type] = [
    BuildCommand.self, ImportCommand.self, SearchCommand.self, ExplainCommand.self, SQLCommand.self, InfoCommand.self,
    CheckCommand.self, OptimizeCommand.self, RebuildCommand.self, ReindexCommand.self, BackupCommand.self,
    RestoreCommand.self, BenchCommand.self, RecallCommand.self,
  ]

  static var version: String { Extension.version }

  static func run(_ words: [String]) -> Int32 {
    if let isa = unsafe getenv("VIDX_ISA") { unsafe warn(ofUnknownISA: String(cString: isa)) }
    do {
      return try dispatch(words)
    } catch let error as UsageError {
      Terminal.warn(error.message)
      return 2
    } catch let error as FileError {
      Terminal.warn(error.message)
      return 1
    } catch {
      Terminal.warn(VidxError(wrapping: error).message)
      return 1
    }
  }

  /// The kernels were chosen when the program was loaded; they cannot say that they were asked for others.
  private static func warn(ofUnknownISA isa: String) {
    if isa.isEmpty || VectorKernels.available.contains(isa) { return }
    Terminal.warn(
      "VIDX_ISA=\(isa) is not known here; using \(VectorKernels.isa) "
        + "(known: \(VectorKernels.available.joined(separator: ", ")))")
  }

  private static func dispatch(_ words: [String]) throws -> Int32 {
    guard let name = words.first else {
      Terminal.write(Help.text(of: commands.map { $0.syntax }, version: version) + "\n", to: 2)
      return 2
    }
    switch name {
    case "--version":
      Terminal.print("vidx \(version)")
      return 0
    case "--help", "-h", "help":
      if words.count > 1, let command = commands.first(where: { $0.syntax.name == words[1] }) {
        Terminal.print(Help.text(of: command.syntax))
      } else {
        Terminal.print(Help.text(of: commands.map { $0.syntax }, version: version))
      }
      return 0
    default: break
    }
    guard let command = commands.first(where: { $0.syntax.name == name }) else {
      let nearest = Spelling.nearest(to: name, among: commands.map { $0.syntax.name })
      let advice = nearest.map { "did you mean \($0)?" } ?? "see vidx --help"
      throw UsageError("unknown \(name.hasPrefix("-") ? "option" : "command") \(name); \(advice)")
    }
    let arguments = try Arguments(Array(words.dropFirst()), syntax: command.syntax)
    if arguments.has(Options.help) {
      Terminal.print(Help.text(of: command.syntax))
      return 0
    }
    return try command.init(arguments).run()
  }
}
