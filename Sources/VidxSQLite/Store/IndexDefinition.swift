package import VidxIndexes

/// What `CREATE VIRTUAL TABLE ... USING vidx(...)` says: fixed for the life of the index.
package struct IndexDefinition: Sendable, Equatable {
  package var configuration: IndexConfiguration
  /// The user's table whose column is indexed; nil when the index keeps its own vectors.
  package var content: String?
  /// The column of `content` that holds vectors: BLOBs of 32-bit floats, little-endian, or JSON text.
  package var column: String?

  package init(configuration: IndexConfiguration, content: String? = nil, column: String? = nil) {
    precondition((content == nil) == (column == nil), "content and column come together")
    self.configuration = configuration
    self.content = content
    self.column = column
  }
}
