package import VidxIndexes

/// What `CREATE VIRTUAL TABLE ... USING vidx(...)` says: fixed for the life of the index.
package struct IndexDefinition: Sendable, Equatable {
  package var configuration: IndexConfiguration
  /// The user's table whose column is indexed; nil when the index keeps its own vectors.
  package var content: String?
  /// The column of `content` that holds vectors: BLOBs of 32-bit floats, little-endian, or JSON text.
  package var column: String?
  /// In the order of their declaration.
  package var filterColumns: [FilterColumn] = []

  package init(
    configuration: IndexConfiguration, content: String? = nil, column: String? = nil, filterColumns: [FilterColumn] = []
  ) {
    precondition((content == nil) == (column == nil), "content and column come together")
    self.configuration = configuration
    self.content = content
    self.column = column
    self.filterColumns = filterColumns
  }
}

/// A column whose values the index keeps beside the vectors, for searches to be restricted by.
package struct FilterColumn: Sendable, Equatable {
  package var name: String
  /// Searches are expected to be restricted to one value of it.
  package var isPartition: Bool

  package init(_ name: String, isPartition: Bool = false) {
    self.name = name
    self.isPartition = isPartition
  }
}

extension [FilterColumn] {
  /// The position of a column; its name in any case. nil when there is none.
  package func position(of name: String) -> Int? { firstIndex { $0.name.lowercased() == name.lowercased() } }
}
