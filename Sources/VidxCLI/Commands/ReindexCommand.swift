import Vidx
import VidxFiles
import VidxIndexes
import VidxVectors

/// `vidx reindex`: an index for another embedding model, or of another kind, in the place of the old one.
struct ReindexCommand: Command {
  static let syntax = CommandSyntax(
    name: "reindex",
    summary: "change an index over to another embedding model, metric or type",
    operands: ["DB"],
    options: [
      Options.index, Options.model, Options.vectors.explained("the vectors: .npy (f16, f32), .fvecs, .bvecs or .jsonl"),
      Options.field,
      Options.rows.explained("ids of the rows, .jsonl or .csv with a column id, in the order of the vectors"),
      Options.column.explained("the column of the index's table that holds the vectors"),
      Options.metric.explained("cosine, l2, ip or l1"), Options.type.explained("flat, ivfflat or hnsw"),
      Options.m.explained("hnsw: links per node"),
      Options.efConstruction.explained("hnsw: candidates kept while building"),
      Options.lists, Options.codec.explained("codes compared first"),
      Options.filterColumns.explained("columns to restrict searches by, all of them"), Options.threads,
      Options.memory, Options.json,
    ],
    lesson: """
      A new index is built beside the old one and takes its place in one transaction: searches go on with the old one
      until then, writers wait, and when it fails, is stopped or killed the old one is still there. What is not given
      stays as it is, dimensions are those of the vectors.

      An index with vectors of its own needs one for each of its rows. Row i of --rows says by its id which row vector i
      is of; in a .jsonl of vectors a field "id" beside them does. Without ids the index's rows have to be numbered 1, 2,
      3, ... (or from 0), as vidx build numbers them.

        vidx reindex packages.db --index packages_vectors --model bge-base-en-v1.5 --vectors base.npy --rows packages.jsonl

      An index that follows a column of a table takes another column of it, and follows that from then on:

        vidx reindex app.db --index message_vectors --model bge-base-en-v1.5 --column embedding_base

      Without --vectors and --column the vectors stay: to name the model of an index that names none, which takes them for
      that model's, or to change the metric, the type or the codec.

        vidx reindex packages.db --index packages_vectors --model bge-small-en-v1.5

      --json prints one object:
        {"index": "packages_vectors", "model": "bge-base-en-v1.5", "dimensions": 768, "rows": 10000, "seconds": 1.9}
      """)

  private enum Source {
    case held
    case column(String)
    case file(String, field: String, rows: String?)
  }

  private let database: String
  private let index: String
  private let source: Source
  private let arguments: Arguments
  private let threads: Int?
  private let memory: Int?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    source = try Self.source(arguments)
    // What the options of a type mean depends on the index's.
    self.arguments = arguments
    threads = try arguments.integer(Options.threads, in: 1...1024)
    memory = try arguments.size(Options.memory)
    isJSON = arguments.has(Options.json)
  }

  private static func source(_ arguments: Arguments) throws(UsageError) -> Source {
    let rows = arguments.string(Options.rows)
    switch (arguments.string(Options.vectors), arguments.string(Options.column)) {
    case (_?, _?):
      throw UsageError("--vectors and --column together: the vectors come from one of them; leave one out")
    case (let vectors?, nil):
      return .file(vectors, field: arguments.string(Options.field) ?? "vector", rows: rows)
    case (nil, let column):
      if let other = [Options.rows, Options.field].first(where: arguments.has) {
        throw UsageError("\(other.spelling) goes with vectors of a file: add --vectors FILE, or leave it out")
      }
      return column.map { .column($0) } ?? .held
    }
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .readWrite)
    let start = ContinuousClock.now
    let changes = try changes(of: session.summary(of: index).options)
    let rows = try LongWork.run(threads: threads, memory: memory) { build in try reindex(session, changes, build) }
    let summary = try session.summary(of: index)
    report(summary, rows: rows, start: start)
    do {
      for failure in try session.sweep() { Terminal.warn(failure) }
    } catch {
      // The new index is there: what has not been removed only takes space, until the next sweep.
      Terminal.warn("the files of the old index are still there: \(VidxError(wrapping: error).message)")
    }
    return 0
  }

  private func changes(of options: IndexOptions) throws -> IndexChanges {
    let ofType = [Options.type, Options.m, Options.efConstruction, Options.lists]
    return IndexChanges(
      model: arguments.string(Options.model), metric: try arguments.choice(Options.metric, Metric.self),
      type: ofType.contains(where: arguments.has) ? try BuildCommand.type(arguments, now: options.type) : nil,
      codec: try arguments.choice(Options.codec, IndexCodec.self),
      filterColumns: arguments.string(Options.filterColumns)?.split(separator: ",").map(String.init))
  }

  private func reindex(_ session: Session, _ changes: IndexChanges, _ build: BuildOptions) throws -> Int {
    switch source {
    case .held: return try session.reindex(index, .held, changes, build: build)
    case .column(let column): return try session.reindex(index, .column(column), changes, build: build)
    case .file(let path, let field, let rows):
      let blocks = FileVectors(file: try VectorFormat.open(path, field: field), field: field)
      let ids = try rows.map { try Self.ids(RowFormat.open($0)) } ?? Self.ids(besideVectors: path, field: field)
      do {
        return try session.reindex(index, .vectors(blocks, ids: ids), changes, build: build)
      } catch {
        // The builder knows the row's number, not the file.
        throw error.code == .badVector ? VidxError(.badVector, "\(path), \(error.message)", cause: error) : error
      }
    }
  }

  /// The ids in a file of rows, in their order.
  private static func ids(_ file: any RowFile) throws -> [Int64] {
    guard let ids = try optionalIDs(file) else {
      throw VidxError(
        .badRows,
        "\(file.path) has no column \"id\" of whole numbers; give a file that says which row each vector is of")
    }
    return ids
  }

  /// Those beside the vectors of a .jsonl; nil where there are none.
  private static func ids(besideVectors path: String, field: String) throws -> [Int64]? {
    guard path.hasSuffix(".jsonl") else { return nil }
    do {
      return try optionalIDs(RowFormat.open(path, excluding: [field]))
    } catch {
      // There is nothing beside the vectors.
      if let error = error as? FileError, error.reason == .noColumns { return nil }
      throw error
    }
  }

  private static func optionalIDs(_ file: any RowFile) throws -> [Int64]? {
    var rows = try FileRows(file)
    guard let column = rows.columns.firstIndex(where: { $0.name.lowercased() == "id" && $0.type == "INTEGER" }) else {
      return nil
    }
    var ids: [Int64] = []
    while let row = try rows.next() {
      guard case .integer(let id) = row[column] else {
        throw VidxError(.badRows, "\(file.path), \(rows.place): no id; give every vector the id of its row")
      }
      ids.append(id)
    }
    return ids
  }

  private func report(_ summary: IndexSummary, rows: Int, start: ContinuousClock.Instant) {
    let options = summary.options
    guard isJSON else {
      let model = options.model.map { ", model \($0)" } ?? ""
      return Terminal.print(
        "\(index): \(grouped(rows)) rows made anew\(model), \(options.dimensions) dimensions, in "
          + LongWork.duration(since: start))
    }
    var json = JSONWriter()
    json.object { json in
      json.member("index", index)
      json.member("model", options.model)
      json.member("dimensions", options.dimensions)
      json.member("rows", rows)
      json.key("seconds")
      json.number((ContinuousClock.now - start) / .seconds(1))
    }
    Terminal.print(json.text)
  }
}
