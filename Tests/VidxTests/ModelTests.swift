import Testing
import Vidx

/// Vectors of another model than the index names are refused, whatever their dimensions.
@Suite struct ModelTests {
  let directory: TemporaryDirectory
  let database: VectorDatabase

  init() async throws {
    directory = try TemporaryDirectory()
    database = try await VectorDatabase(path: directory.file("t.db"), maintenance: .off)
    try await database.createIndex("named", options: IndexOptions(dimensions: 2, metric: .l2, model: "it's v1"))
    try await database.createIndex("plain", options: IndexOptions(dimensions: 2, metric: .l2))
    for name in ["named", "plain"] { try await database.index(name).insert([1, 0], id: 1) }
  }

  @Test func isListedWithTheOptions() async throws {
    #expect(try await database.indexes().map(\.options.model) == ["it's v1", nil])
    let again = try await VectorDatabase(path: directory.file("t.db"), maintenance: .off)
    #expect(try await again.index("named").summary().options.model == "it's v1")
  }

  @Test func namesThatAreNone() async throws {
    for name in ["", "a\0b"] {
      try await vidxError(.badOption, saying: "name of the model") {
        try await database.createIndex("v", options: IndexOptions(dimensions: 2, model: name))
      }
    }
  }

  @Test func everyWriteIsHeldToIt() async throws {
    let (named, plain) = (try await database.index("named"), try await database.index("plain"))
    try await named.insert([2, 0], id: 2, model: "it's v1")
    try await named.upsert([3, 0], id: 2, model: "it's v1")
    try await named.insert([4, 0], id: 3)
    let database = database
    let writes: [@Sendable (VectorIndex) async throws -> Void] = [
      { try await $0.insert([9, 0], model: "v2") },
      { try await $0.upsert([9, 0], id: 1, model: "v2") },
      { index in try await database.transaction { _ = try $0.insert([9, 0], model: "v2", into: index.name) } },
      { index in try await database.transaction { try $0.upsert([9, 0], id: 1, model: "v2", into: index.name) } },
      // What is wrong with the model comes before what is wrong with the vector.
      { try await $0.insert([9, 0, 0], model: "v2") },
    ]
    for write in writes {
      try await vidxError(.wrongModel, saying: "index named is of model 'it's v1', not of 'v2'", "reindex") {
        try await write(named)
      }
      try await vidxError(.wrongModel, saying: "index plain names no model", "'v2'", "reindex") {
        try await write(plain)
      }
    }
    #expect(try await named.search(near: [0, 0]).hits.map(\.distance) == [1, 3, 4])
    #expect(try await plain.summary().rows == 1)
  }

  @Test func everySearchIsHeldToIt() async throws {
    let (right, wrong) = (SearchSettings(model: "it's v1"), SearchSettings(model: "v2"))
    let database = database
    let filters: [RowFilter] = [.all, .ids([1, 5]), .idsFrom("SELECT 1"), .columns([])]
    for state in ["in the delta", "in a segment"] {
      for filter in filters {
        let searches: [@Sendable (String, SearchSettings) async throws -> [Int64]] = [
          { try await database.index($0).search(near: [1, 1], filter: filter, settings: $1).hits.map(\.id) },
          { name, settings in
            try await database.index(name).search(nearEach: [[1, 1], [0, 1]], filter: filter, settings: settings)[1]
              .hits.map(\.id)
          },
          { name, settings in
            try await database.snapshot {
              try $0.search(name, near: [1, 1], filter: filter, settings: settings).hits.map(\.id)
            }
          },
          { name, settings in
            var settings = settings
            settings.after = .start
            return try await database.index(name).search(near: [1, 1], filter: filter, settings: settings).hits.map(
              \.id)
          },
        ]
        for search in searches {
          #expect(try await search("named", right) == [1], "\(state), \(filter)")
          #expect(try await search("plain", SearchSettings()) == [1])
          try await vidxError(.wrongModel, saying: "'it's v1'", "'v2'") { _ = try await search("named", wrong) }
          try await vidxError(.wrongModel, saying: "plain names no model") { _ = try await search("plain", right) }
        }
      }
      for name in ["named", "plain"] { try await database.index(name).optimize() }
    }
    try await vidxError(.wrongModel) {
      _ = try await database.index("named").search(near: [1, 1, 1], settings: wrong)
    }
  }
}
