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
  /// The embedding model that all vectors are of; nil when none was named.
  package var model: String?

  package init(
    configuration: IndexConfiguration, content: String? = nil, column: String? = nil,
    filterColumns: [FilterColumn] = [],
    model: String? = nil
  ) {
    precondition((content == nil) == (column == nil), "content and column come together")
    self.configuration = configuration
    self.content = content
    self.column = column
    self.filterColumns = filterColumns
    self.model = model
  }

  /// Refuses vectors that are said to be of another model.
  /// - Parameters:
  ///   - named: the model that the caller names; nil for none, and nothing is checked.
  ///   - index: what the error calls the index.
  /// - Throws: `StoreError.otherModel`, also when the index names none: whose its vectors are is not known then.
  package func check(model named: String?, of index: String) throws(StoreError) {
    guard let named, named != model else { return }
    throw .otherModel(index: index, model: model, named: named)
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
