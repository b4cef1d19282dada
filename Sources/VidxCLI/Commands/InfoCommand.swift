import Vidx

/// `vidx info`: what the indexes are and hold.
struct InfoCommand: Command {
  static let syntax = CommandSyntax(
    name: "info",
    summary: "show the indexes of a database: kind, metric, dimensions, rows, files",
    operands: ["DB"],
    options: [Options.index, Options.json],
    lesson: """
      "new" counts rows that are not yet in a segment file, "deleted" rows of segments that are gone; vidx optimize
      merges both. Filter columns, and the partition among them, are kept beside the vectors: conditions on them read
      no row.

        vidx info packages.db
        vidx info packages.db --index packages_vectors --json
      """)

  private let database: String
  private let index: String?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = arguments.string(Options.index)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .read)
    let summaries = try session.snapshot {
      try (index.map { [$0] } ?? session.indexNames()).map { try session.summary(of: $0) }
    }
    if isJSON {
      for summary in summaries { Terminal.print(Self.json(summary)) }
    } else if summaries.isEmpty {
      Terminal.print("no indexes; make one with vidx build \(database) --index NAME --vectors FILE")
    } else {
      Terminal.print(summaries.map(Self.text).joined(separator: "\n\n"))
    }
    return 0
  }

  private static func text(_ summary: IndexSummary) -> String {
    var lines = [
      "\(summary.name): \(kind(summary.options.type)), \(summary.options.metric.rawValue), "
        + "\(summary.options.dimensions) dimensions, codec \(summary.options.codec.rawValue), "
        + "\(grouped(summary.rows)) rows"
    ]
    switch summary.options.content {
    case .own: if let table = summary.options.rowTable { lines.append("  rows of table \(table)") }
    case .column(let column, let table): lines.append("  follows column \(column) of table \(table)")
    }
    if let model = summary.options.model { lines.append("  model \(model)") }
    if let line = filters(summary.options) { lines.append(line) }
    for segment in summary.segments {
      var line = "  segment \(segment.file): \(grouped(segment.rows)) rows, \(byteSize(segment.bytes))"
      if let codec = segment.codec, let bytes = segment.bytesPerCode {
        line += ", \(codec.rawValue) (\(grouped(bytes)) bytes each)"
      }
      lines.append(line)
    }
    if !summary.settings.isEmpty {
      let terms = summary.settings.sorted { $0.key < $1.key }.map { name, value in
        switch name {
        case "maintenance": "\(name) in the background"
        case "memory": "\(name) \(byteSize(value))"
        default: "\(name) \(grouped(value))"
        }
      }
      lines.append("  settings: \(terms.joined(separator: ", "))")
    }
    if let unfinished = summary.unfinished { lines.append("  \(unfinished.text)") }
    lines.append("  new: \(grouped(summary.deltaRows)) rows, deleted: \(grouped(summary.tombstones)) rows")
    return lines.joined(separator: "\n")
  }

  private static func filters(_ options: IndexOptions) -> String? {
    var parts: [String] = []
    let columns = options.filterColumns
    if !columns.isEmpty { parts.append("filter columns \(columns.joined(separator: ", "))") }
    if let partition = options.partition { parts.append("partition \(partition)") }
    return parts.isEmpty ? nil : "  " + parts.joined(separator: "; ")
  }

  private static func kind(_ type: IndexType) -> String {
    switch type {
    case .flat: "flat"
    case .ivfflat(let lists): "ivfflat" + (lists.map { " (\($0) lists)" } ?? "")
    case .hnsw(let m, let efConstruction): "hnsw (m \(m), ef_construction \(efConstruction))"
    }
  }

  private static func json(_ summary: IndexSummary) -> String {
    var json = JSONWriter()
    json.object { json in
      json.member("index", summary.name)
      switch summary.options.type {
      case .flat: json.member("type", "flat")
      case .ivfflat(let lists):
        json.member("type", "ivfflat")
        if let lists { json.member("lists", lists) }
      case .hnsw(let m, let efConstruction):
        json.member("type", "hnsw")
        json.member("m", m)
        json.member("ef_construction", efConstruction)
      }
      json.member("metric", summary.options.metric.rawValue)
      json.member("dimensions", summary.options.dimensions)
      json.member("codec", summary.options.codec.rawValue)
      json.member("model", summary.options.model)
      if let table = summary.options.rowTable { json.member("table", table) }
      if case .column(let column, _) = summary.options.content { json.member("column", column) }
      json.key("filter_columns")
      json.array { json in for column in summary.options.filterColumns { json.string(column) } }
      if let partition = summary.options.partition { json.member("partition", partition) }
      json.member("rows", summary.rows)
      json.key("segments")
      json.array { json in
        for segment in summary.segments {
          json.object { json in
            json.member("file", segment.file)
            json.member("rows", segment.rows)
            json.member("bytes", segment.bytes)
            if let codec = segment.codec { json.member("codec", codec.rawValue) }
            if let bytes = segment.bytesPerCode { json.member("code_bytes", bytes) }
          }
        }
      }
      json.member("delta_rows", summary.deltaRows)
      json.member("tombstones", summary.tombstones)
      json.key("settings")
      json.object { json in
        for (name, value) in summary.settings.sorted(by: { $0.key < $1.key }) {
          if name == "maintenance" { json.member(name, "background") } else { json.member(name, value) }
        }
      }
      if let unfinished = summary.unfinished {
        json.key("unfinished")
        json.object { json in
          json.member("rows", unfinished.rows)
          json.member("of", unfinished.total)
          json.member("source", unfinished.source)
        }
      }
    }
    return json.text
  }
}

extension IndexSummary.Unfinished {
  /// "unfinished: 3,000,000 of 10,000,000 rows of base.npy; go on with vidx build --resume".
  var text: String {
    "unfinished: \(grouped(rows)) of \(grouped(total)) rows of \(source); go on with vidx build --resume"
  }
}
