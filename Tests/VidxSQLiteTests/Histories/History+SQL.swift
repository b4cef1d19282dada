extension History.Setting {
  /// What makes the tables.
  var schema: [String] {
    let options = "dimensions = \(History.dimensions), metric = l2, index = \(kind)" + (kind == "hnsw" ? ", m = 4" : "")
    let filters = hasFilterColumns ? ", filter tag, filter size" : ""
    if !hasContent { return ["CREATE VIRTUAL TABLE v USING vidx(\(options)\(filters))"] }
    return [
      "CREATE TABLE docs(id INTEGER PRIMARY KEY, title INTEGER UNIQUE, tag TEXT, size INTEGER, e BLOB)",
      "CREATE VIRTUAL TABLE v USING vidx(\(options)\(filters), content = docs, column = e)",
    ]
  }

  /// The table that rows are written to, its key and its column of vectors.
  fileprivate func target(_ index: String) -> (table: String, key: String, vector: String) {
    hasContent ? ("docs", "id", "e") : (index, "rowid", "vector")
  }

  fileprivate func insert(_ rows: [(id: Int64, row: History.Row)], into index: String, replacing: Bool) -> String {
    let target = target(index)
    let columns = [target.key, target.vector] + (hasColumns ? ["tag", "size"] : []) + (hasContent ? ["title"] : [])
    let values = rows.map { id, row in
      var values = ["\(id)", Self.literal(row.vector)]
      if hasColumns { values += [Self.literal(row.tag), "\(row.size)"] }
      if hasContent { values.append("\(row.title)") }
      return "(\(values.joined(separator: ", ")))"
    }
    return "INSERT\(replacing ? " OR REPLACE" : "") INTO \(target.table)(\(columns.joined(separator: ", "))) VALUES "
      + values.joined(separator: ", ")
  }

  static func literal(_ vector: [Int]?) -> String {
    vector.map { "'[\($0.map(String.init).joined(separator: ","))]'" } ?? "NULL"
  }

  private static func literal(_ tag: String?) -> String { tag.map { "'\($0)'" } ?? "NULL" }

  fileprivate func update(_ index: String, _ id: Int64, replacing: Bool = false, _ change: String) -> String {
    let target = target(index)
    return "UPDATE\(replacing ? " OR REPLACE" : "") \(target.table) SET \(change) WHERE \(target.key) = \(id)"
  }
}

extension History.Step {
  /// The statement that does it, to an index of this name; nil for what no statement of the first connection does.
  func sql(_ setting: History.Setting, index: String) -> String? {
    let target = setting.target(index)
    switch self {
    case .insert(let id, let row): return setting.insert([(id, row)], into: index, replacing: false)
    case .replace(let id, let row): return setting.insert([(id, row)], into: index, replacing: true)
    case .fill(let first, let count, let seed):
      return setting.insert(HistoryModel.rows(first, count, seed, setting), into: index, replacing: true)
    case .setVector(let id, let vector):
      return setting.update(index, id, "\(target.vector) = \(History.Setting.literal(vector))")
    case .setColumns(let id, let tag, let size):
      return setting.update(index, id, "tag = \(tag.map { "'\($0)'" } ?? "NULL"), size = \(size)")
    case .setTitle(let id, let title): return setting.update(index, id, replacing: true, "title = \(title)")
    case .move(let id, let to): return setting.update(index, id, replacing: true, "\(target.key) = \(to)")
    case .delete(let first, let last):
      return "DELETE FROM \(target.table) WHERE \(target.key) BETWEEN \(first) AND \(last)"
    case .deleteAll: return "DELETE FROM \(target.table)"
    case .rename: return "ALTER TABLE \(index) RENAME TO \(index == "v" ? "w" : "v")"
    case .merge(let rows): return "INSERT INTO \(index)(\(index)) VALUES ('merge = \(rows)')"
    case .optimize: return "INSERT INTO \(index)(\(index)) VALUES ('optimize')"
    case .rebuild: return "INSERT INTO \(index)(\(index)) VALUES ('rebuild')"
    case .lose: return "DELETE FROM \(index) WHERE rowid = (SELECT min(rowid) FROM \(index))"
    default: return control
    }
  }

  private var control: String? {
    switch self {
    case .begin: "BEGIN"
    case .commit: "COMMIT"
    case .rollback: "ROLLBACK"
    case .savepoint(let name): "SAVEPOINT s\(name)"
    case .rollbackTo(let name): "ROLLBACK TO s\(name)"
    case .release(let name): "RELEASE s\(name)"
    case .vacuum: "VACUUM"
    default: nil
    }
  }
}

extension History {
  /// For people: a script, with what no statement does as comments.
  var script: String {
    var model = HistoryModel(setting)
    let lines = steps.compactMap { step -> String? in
      guard model.allows(step) else { return nil }
      let line = step.sql(setting, index: model.state.index) ?? "-- \(step)"
      _ = model.apply(step)
      return line
    }
    return (setting.schema + lines).joined(separator: ";\n")
  }
}
