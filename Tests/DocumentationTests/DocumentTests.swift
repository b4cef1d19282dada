import Testing

/// Documents go stale in silence; this makes it loud.
@Suite struct DocumentTests {
  @Test(arguments: Document.all)
  func namesOnlyWhatIsThere(document: Document) {
    #expect(document.problems().isEmpty)
  }

  @Test(arguments: ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/FORMAT.md", "docs/SQL.md"])
  func isThere(path: String) {
    #expect(Document.all.contains { $0.path == path })
  }

  @Test func findsWhatIsMissing() {
    let page = Document(
      path: "docs/sample.md",
      text: """
        # A heading: one
        [right](../Package.swift), [right](#a-heading-one), [right](https://example.org/no),
        [wrong](Package.swift), [wrong](#another), [wrong](../Package.swift#heading)
        `Sources/VidxVectors`, Sources/Vidx*, scripts/lint.sh. `make test`
        `Sources/NoSuchTarget`, scripts/no-such.sh.

            make nothing
        """)
    #expect(
      page.problems() == [
        "link to Package.swift: no such file", "link to #another: no such heading",
        "link to ../Package.swift#heading: no such heading", "Sources/NoSuchTarget: no such file",
        "scripts/no-such.sh: no such file", "make nothing: the Makefile has no such target",
      ])
  }
}
