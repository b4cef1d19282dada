import Vidx
import VidxFiles
import VidxIndexes

/// `vidx build`: makes an index, and a table of rows, from files or over an existing table.
struct BuildCommand: Command {
  static let syntax = CommandSyntax(
    name: "build",
    summary: "make an index from a file of vectors, or over a column of a table",
    operands: ["DB"],
    options: [
      Options.index, Options.vectors, Options.field, Options.rows, Options.table, Options.column, Options.metric,
      Options.type, Options.m, Options.efConstruction, Options.lists, Options.codec, Options.filterColumns,
      Options.model, Options.threads, Options.memory, Options.resume, Options.estimate, Options.json,
    ],
    lesson: """
      All of it is one transaction: when it fails or Ctrl-C ends it, nothing has changed. --resume keeps what is done.

      Vectors and rows from files: row i goes with vector i. A whole-number column "id" becomes the primary key,
      otherwise rows are numbered from 1. Column types come from the values.

        vidx build packages.db --index packages_vectors --vectors packages.npy --rows packages.jsonl --table packages

      Vectors only; row ids are 1, 2, 3, ...:

        vidx build sift.db --index sift --vectors sift_base.fvecs --metric l2 --type ivfflat --lists 1000

      Rows and vectors in one .jsonl, the vector in the field "embedding":

        vidx build notes.db --index note_vectors --vectors n.jsonl --field embedding --rows n.jsonl --table notes

      A BLOB column (32-bit floats, little-endian) or a column of JSON arrays of a table that is there; the index
      then follows the table by triggers. The table needs an INTEGER PRIMARY KEY:

        vidx build app.db --index message_vectors --table messages --column embedding

      Columns of the rows that the index keeps for itself, so that searches restricted by them read no row:

        vidx build app.db --index by_service --table messages --column embedding --filter-columns services,day

      What it would take, before it is begun; and in less memory, as several segments that are searched one after the
      other:

        vidx build big.db --index big --vectors big.npy --estimate
        vidx build big.db --index big --vectors big.npy --memory 8G

      --resume commits the rows first, and then each segment that --memory makes room for. Whatever ends it, Ctrl-C, kill
      or a power loss, these stay, can be searched, and the same command goes on from there. The smaller the memory, the
      less is lost, and the more segments there are (vidx optimize merges them). Files and options other than those it
      was begun with are refused. Writers wait while a segment is built.

        vidx build big.db --index big --vectors big.npy --memory 8G --resume

      --model names what made the vectors. Searches and inserts that name another model are refused then, also where
      the dimensions agree; those that name none are not checked. vidx reindex changes an index over.

        vidx build packages.db --index packages_vectors --vectors packages.npy --model bge-small-en-v1.5
      """)

  private enum Source {
    case files(vectors: String, field: String?, rows: String?, table: String?)
    case column(String, table: String)
  }

  private let database: String
  private let index: String
  private let source: Source
  private let metric: Metric
  private let type: IndexType
  private let codec: IndexCodec
  private let filterColumns: [String]
  private let model: String?
  private let threads: Int?
  private let memory: Int?
  private let resumes: Bool
  private let isEstimate: Bool
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    metric = try arguments.choice(Options.metric, Metric.self) ?? .cosine
    type = try Self.type(arguments)
    codec = try arguments.choice(Options.codec, IndexCodec.self) ?? .auto
    filterColumns = (arguments.string(Options.filterColumns) ?? "").split(separator: ",").map(String.init)
    model = arguments.string(Options.model)
    threads = try arguments.integer(Options.threads, in: 1...1024)
    memory = try arguments.size(Options.memory)
    resumes = arguments.has(Options.resume)
    isEstimate = arguments.has(Options.estimate)
    isJSON = arguments.has(Options.json)
    source = try Self.source(arguments)
    if case .files(_, _, nil, _) = source, !filterColumns.isEmpty {
      throw UsageError(
        "--filter-columns are columns of the rows: add --rows FILE, or take --column instead of --vectors")
    }
  }

  private enum TypeName: String, CaseIterable {
    case flat, ivfflat, hnsw

    init(_ type: IndexType) {
      self =
        switch type {
        case .flat: .flat
        case .ivfflat: .ivfflat
        case .hnsw: .hnsw
        }
    }
  }

  /// - Parameter now: what is not said is as it is in this.
  static func type(_ arguments: Arguments, now: IndexType = .hnsw()) throws -> IndexType {
    let name = try arguments.choice(Options.type, TypeName.self) ?? TypeName(now)
    func refuse(_ options: [Option]) throws(UsageError) {
      for option in options where arguments.has(option) {
        throw UsageError("\(option.spelling) does not go with --type \(name.rawValue); leave it out")
      }
    }
    switch name {
    case .flat:
      try refuse([Options.m, Options.efConstruction, Options.lists])
      return .flat
    case .ivfflat:
      try refuse([Options.m, Options.efConstruction])
      var lists = try arguments.integer(Options.lists, in: 1...IndexLimits.lists.upperBound)
      if lists == nil, case .ivfflat(let before) = now { lists = before }
      return .ivfflat(lists: lists)
    case .hnsw:
      try refuse([Options.lists])
      var (m, efConstruction) = (16, 128)
      if case .hnsw(let before, let candidates) = now { (m, efConstruction) = (before, candidates) }
      return .hnsw(
        m: try arguments.integer(Options.m, in: IndexLimits.m) ?? m,
        efConstruction: try arguments.integer(Options.efConstruction, in: IndexLimits.efConstruction) ?? efConstruction)
    }
  }

  private static func source(_ arguments: Arguments) throws(UsageError) -> Source {
    let table = arguments.string(Options.table)
    let rows = arguments.string(Options.rows)
    guard let vectors = arguments.string(Options.vectors) else {
      guard rows == nil else { throw UsageError("--rows needs the vectors of the rows: add --vectors FILE") }
      guard let table, let column = arguments.string(Options.column) else {
        throw UsageError("no vectors: give --vectors FILE, or --table NAME --column NAME of a table that is there")
      }
      return .column(column, table: table)
    }
    guard !arguments.has(Options.column) else {
      throw UsageError("--column is for vectors that are in a table; leave it out, or leave out --vectors")
    }
    guard (rows == nil) == (table == nil) else {
      throw UsageError(
        rows == nil
          ? "--table names the table that --rows FILE makes; add --rows, or take --column instead of --vectors"
          : "--rows makes a table; name it with --table NAME")
    }
    return .files(vectors: vectors, field: arguments.string(Options.field), rows: rows, table: table)
  }

  func run() throws -> Int32 {
    if isEstimate {
      report(try estimate())
      return 0
    }
    let start = ContinuousClock.now
    let rows = try LongWork.run(threads: threads, memory: memory) { build in
      switch source {
      case .column(let column, let table):
        let session = try Session(path: database, mode: .readWrite)
        if resumes {
          return try session.buildInParts(
            index, column: column, ofTable: table, metric: metric, type: type, codec: codec,
            filterColumns: filterColumns, model: model, build: build)
        }
        return try session.build(
          index, column: column, ofTable: table, metric: metric, type: type, codec: codec,
          filterColumns: filterColumns, model: model, build: build)
      case .files(let vectors, let field, let rows, let table):
        return try buildFromFiles(vectors: vectors, field: field, rows: rows, table: table, build)
      }
    }
    report(rows: rows, start: start)
    return 0
  }

  private func buildFromFiles(
    vectors: String, field: String?, rows: String?, table: String?, _ build: BuildOptions
  ) throws -> Int {
    let vectorField = field ?? Self.vectorField
    let blocks = FileVectors(file: try VectorFormat.open(vectors, field: vectorField), field: vectorField)
    // The vector's field is not a column too when both come from one file.
    let source = try rows.map { try FileRows(RowFormat.open($0, excluding: $0 == vectors ? [vectorField] : [])) }
    let options = options(dimensions: blocks.dimensions)
    return try NewDatabase.undoingCreation(of: database) {
      let session = try Session(path: database, mode: .create)
      do {
        if resumes {
          return try session.buildInParts(index, options, vectors: blocks, rows: source, table: table, build: build)
        }
        return try session.build(index, options, vectors: blocks, rows: source, table: table, build: build)
      } catch let error as VidxError where error.code == .badVector {
        // The builder knows the row's number, not the file.
        throw VidxError(.badVector, "\(vectors), \(error.message)", cause: error)
      }
    }
  }

  private static let vectorField = "vector"

  private func options(dimensions: Int) -> IndexOptions {
    IndexOptions(
      dimensions: dimensions, metric: metric, type: type, codec: codec, filterColumns: filterColumns, model: model)
  }

  private func estimate() throws -> BuildEstimate {
    let build = BuildOptions(threads: threads ?? 0, memory: memory)
    switch source {
    case .files(let vectors, let field, _, _):
      let file = try VectorFormat.open(vectors, field: field ?? Self.vectorField)
      return try options(dimensions: file.dimensions).estimate(rows: file.count, build: build)
    case .column(let column, let table):
      let session = try Session(path: database, mode: .read)
      let (rows, dimensions) = try session.vectorCount(ofColumn: column, table: table)
      return try options(dimensions: dimensions).estimate(rows: rows, build: build)
    }
  }

  private func report(_ estimate: BuildEstimate) {
    if isJSON {
      var json = JSONWriter()
      json.object { json in
        json.member("index", index)
        json.member("rows", estimate.rows)
        json.member("memory_bytes", estimate.memory)
        json.member("segments", estimate.segments)
        json.key("seconds")
        json.number(estimate.seconds)
      }
      Terminal.print(json.text)
    } else {
      let parts = estimate.segments == 1 ? "1 segment" : "\(grouped(estimate.segments)) segments"
      Terminal.print(
        "\(grouped(estimate.rows)) rows, \(parts): at most \(byteSize(estimate.memory)) of memory, about "
          + LongWork.duration(estimate.seconds))
    }
  }

  private func report(rows: Int, start: ContinuousClock.Instant) {
    if isJSON {
      var json = JSONWriter()
      json.object { json in
        json.member("index", index)
        json.member("rows", rows)
        json.key("seconds")
        json.number((ContinuousClock.now - start) / .seconds(1))
      }
      Terminal.print(json.text)
    } else {
      Terminal.print("built \(index) over \(grouped(rows)) rows in \(LongWork.duration(since: start))")
    }
  }
}
