import Foundation

/// A Markdown page of the repository, and what it names.
struct Document: Sendable, CustomStringConvertible {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
  /// Where a path that a page names may begin, beside the page's own folder.
  static let folders = ["Benchmarks", "Sources", "Tests", "datasets", "docs", "scripts"]

  /// Relative to the root.
  let path: String
  let text: String

  var description: String { path }

  /// The pages people read: those at the root, in docs, and the README of each data set.
  static let all: [Document] = {
    let files = FileManager.default
    var names = (try? files.contentsOfDirectory(atPath: path(""))) ?? []
    for folder in ["datasets", "docs"] {
      names += ((try? files.subpathsOfDirectory(atPath: path(folder))) ?? []).map { "\(folder)/\($0)" }
    }
    return names.filter { $0.hasSuffix(".md") }
      .sorted()
      .compactMap { name in
        (try? String(contentsOfFile: path(name), encoding: .utf8)).map { Document(path: name, text: $0) }
      }
  }()

  static func path(_ relative: String) -> String { root.appending(path: relative).path(percentEncoded: false) }

  /// A path as the page's own folder sees it.
  private func beside(_ relative: String) -> String {
    URL(filePath: Self.path(path)).deletingLastPathComponent().appending(path: relative).path(percentEncoded: false)
  }

  /// What the page names and the repository lacks.
  func problems() -> [String] {
    brokenLinks() + missingPaths() + missingCommands()
  }

  /// `[text](target)`: the file, and the heading after "#".
  private func brokenLinks() -> [String] {
    text.matches(of: /\]\(([^)\s]+)\)/).compactMap { match in
      let target = String(match.1)
      if target.contains("://") || target.hasPrefix("mailto:") { return nil }
      let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      var page = text
      if !parts[0].isEmpty {
        let file = beside(parts[0])
        guard FileManager.default.fileExists(atPath: file) else { return "link to \(target): no such file" }
        if parts.count > 1 { page = (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }
      }
      guard parts.count > 1, !Self.anchors(of: page).contains(parts[1]) else { return nil }
      return "link to \(target): no such heading"
    }
  }

  /// Headings as links name them: lower case, words joined by hyphens, punctuation dropped.
  private static func anchors(of page: String) -> Set<String> {
    Set(
      page.matches(of: /^#+ +(.+)$/.anchorsMatchLineEndings()).map { match in
        String(
          match.1.lowercased().compactMap {
            $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : nil
          })
      })
  }

  /// Paths from the root, in prose, code and commands alike; patterns are left out.
  private func missingPaths() -> [String] {
    text.matches(of: /(?:^|[\s`"'(=@])((?:[A-Za-z]+)\/[A-Za-z0-9_.\/+-]+)([*<{]?)/.anchorsMatchLineEndings())
      .compactMap { match in
        var name = String(match.1)
        while name.hasSuffix(".") { name.removeLast() }
        let folder = name.split(separator: "/")[0]
        guard match.2.isEmpty, Self.folders.contains(String(folder)) else { return nil }
        // A folder's own page speaks of what is beside it, too.
        let found = [Self.path(name), beside(name)].contains { FileManager.default.fileExists(atPath: $0) }
        return found ? nil : "\(name): no such file"
      }
  }

  /// `make target`, as code.
  private func missingCommands() -> [String] {
    let makefile = (try? String(contentsOfFile: Self.path("Makefile"), encoding: .utf8)) ?? ""
    let targets = Set(makefile.matches(of: /^([a-z]+):/.anchorsMatchLineEndings()).map { String($0.1) })
    return text.matches(of: /(?:`|^ *\$? *)make ([a-z]+)/.anchorsMatchLineEndings()).compactMap { match in
      targets.contains(String(match.1)) ? nil : "make \(match.1): the Makefile has no such target"
    }
  }
}
