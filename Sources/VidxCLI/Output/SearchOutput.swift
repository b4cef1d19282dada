import Vidx

/// The answer to one query with the rows of its hits, for printing.
struct SearchOutput {
  let result: SearchResult
  let columns: [String]
  /// For each hit the values of `columns`; nil when the table has no such row.
  let rows: [[Value]?]
  var explanation: Explanation?

  /// - Parameter query: its number, when there is more than one.
  func text(query: Int?, width: Int) -> String {
    var table = TextTable(header: ["id", "distance"] + columns)
    for (hit, row) in zip(result.hits, rows) {
      let values = row?.map(\.cell) ?? columns.map { _ in TextTable.Cell(text: "") }
      let distance = TextTable.Cell(text: Self.rounded(hit.distance), isNumber: true)
      table.append([TextTable.Cell(text: String(hit.id), isNumber: true), distance] + values)
    }
    let count = result.hits.count == 1 ? "1 row" : "\(result.hits.count) rows"
    let kind = result.isExact ? "exact" : "approximate"
    let rest = result.isComplete ? "" : ", incomplete"
    let ignored = result.rowsWithoutVector ?? 0
    let note = ignored == 0 ? "" : "; \(ignored) ids of the filter have no vector"
    let head = query.map { "query \($0)\n" } ?? ""
    return head + table.render(width: width) + "\n(\(count), \(kind)\(rest); plan: \(result.plan)\(note))"
      + (query == nil ? "" : "\n")
  }

  /// Four digits after the point: enough to compare neighbours by eye. --json has all.
  static func rounded(_ distance: Float) -> String {
    let scaled = (Double(distance) * 10_000).rounded()
    guard abs(scaled) < 1e15 else { return distance.description }
    let digits = String(Int(abs(scaled)))
    let padded = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    return (scaled < 0 ? "-" : "") + padded.dropLast(4) + "." + padded.suffix(4)
  }

  /// What an answer says of itself: members of an object.
  static func write(_ result: SearchResult, _ json: inout JSONWriter) {
    json.member("plan", result.plan)
    json.key("exact")
    json.bool(result.isExact)
    json.key("complete")
    json.bool(result.isComplete)
    json.member("rows_scored", result.counters.rowsScored)
    json.member("rows_yielded", result.rowsYielded)
    json.member("rows_without_vector", result.rowsWithoutVector)
    json.member("rows_checked", result.filter?.rowsChecked)
    json.member("distance_computations", result.counters.distanceComputations)
  }

  func json(query: Int) -> String {
    // A column of the user's own may be called "id" or "distance".
    let names = Array(ColumnNames.distinct(["id", "distance"] + columns).dropFirst(2))
    var json = JSONWriter()
    json.object { json in
      json.member("query", query)
      Self.write(result, &json)
      if let explanation {
        json.key("explain")
        json.object { explanation.write(&$0) }
      }
      json.key("hits")
      json.array { json in
        for (hit, row) in zip(result.hits, rows) {
          json.object { json in
            json.key("id")
            json.integer(hit.id)
            json.key("distance")
            json.number(hit.distance)
            for (name, value) in zip(names, row ?? []) {
              json.key(name)
              json.value(value)
            }
          }
        }
      }
    }
    return json.text
  }
}
