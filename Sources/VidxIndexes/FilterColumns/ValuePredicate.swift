/// A test of values that only its maker knows; two of the same name are the same test.
package struct ValuePredicate: Hashable, Sendable {
  private let name: [UInt8]
  /// Rather than asking.
  package let passesNull: Bool
  /// Never asked for NULL.
  package let passes: @Sendable (ColumnValue) -> Bool

  package init(name: [UInt8], passesNull: Bool = false, passes: @escaping @Sendable (ColumnValue) -> Bool) {
    self.name = name
    self.passesNull = passesNull
    self.passes = passes
  }

  package static func == (a: ValuePredicate, b: ValuePredicate) -> Bool { a.name == b.name }
  package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
