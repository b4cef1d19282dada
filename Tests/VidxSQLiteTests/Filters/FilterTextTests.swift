import Testing
import VidxSQLite

@Suite struct FilterTextTests {
  /// To SQLite they are two names, to Swift one.
  @Test func textsAreComparedByTheirBytes() {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    #expect(
      FilterText(.condition, "name = ?", [.text(composed)]) != FilterText(.condition, "name = ?", [.text(decomposed)]))
    #expect(FilterText(.condition, "name = '\(composed)'") != FilterText(.condition, "name = '\(decomposed)'"))
    #expect(FilterText(.select, "SELECT 1", [.integer(1)]) == FilterText(.select, "SELECT 1", [.integer(1)]))
    #expect(FilterText(.select, "SELECT 1", [.integer(1)]) != FilterText(.select, "SELECT 1", [.real(1)]))
  }
}
