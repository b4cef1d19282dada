/// The text of --help.
enum Help {
  static func text(of commands: [CommandSyntax], version: String) -> String {
    let width = commands.map(\.name.count).max() ?? 0
    let list = commands.map { "  \(pad($0.name, to: width))  \($0.summary)" }.joined(separator: "\n")
    return """
      vidx \(version): rows in SQLite, vectors in files beside it, filter and similarity in one query

      usage: vidx COMMAND ...

      \(list)

      Start with two commands:

        vidx build packages.db --index packages_vectors --vectors packages.npy --rows packages.jsonl --table packages
        vidx search packages.db --index packages_vectors --like 17 -k 5 --where "section = 'graphics'"

      vidx COMMAND --help explains a command with examples; vidx --version prints the version.
      Exit codes: 0 done, 1 failed or, of check, problems found, 2 wrong usage. What fails changes nothing; only sql
      keeps the statements that were committed before the one that failed, and optimize the indexes it was done with.
      """
  }

  static func text(of command: CommandSyntax) -> String {
    let options = command.options + [Options.help]
    let heads = options.map { option in
      let short = option.short.map { "-\($0), " } ?? ""
      return short + option.spelling + (option.value.map { " " + $0 } ?? "")
    }
    let width = min(heads.map(\.count).max() ?? 0, 28)
    let lines = zip(heads, options).map { "  \(pad($0, to: width))  \($1.help)" }
    return """
      vidx \(command.name): \(command.summary)

      usage: vidx \(command.name) \(command.operands.map { $0 + " " }.joined())[options]

      \(lines.joined(separator: "\n"))

      \(command.lesson)
      """
  }

  private static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
