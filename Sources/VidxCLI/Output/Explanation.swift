import Vidx
import VidxIndexes
import VidxSQLite

/// What one search planned and what it took, for printing.
struct Explanation {
  /// What was asked; nil without a filter.
  let filter: String?
  /// What the search did to learn which rows pass.
  let steps: [(step: FilterTrace.Step, duration: Duration)]
  /// What it took to learn of all rows which pass, after the search.
  let rowsDuration: Duration
  /// How the parts of the index answer among the rows that pass.
  let parts: StoreExplanation
  let result: SearchResult
  /// Of the whole search.
  let duration: Duration
  /// The search once more, with the rows that pass known; nil where it was made so.
  let withRowsRead: (result: SearchResult, duration: Duration)?
  let k: Int
  /// The plan that the settings ask for.
  let plan: SearchPlan?
  /// The embedding model that the index names.
  let model: String?

  private var rows: Int { parts.segments.reduce(parts.deltaRows) { $0 + $1.rows } }
  private var passing: Int { parts.segments.reduce(parts.deltaPassing) { $0 + $1.passing } }
  /// Of the search whose filter's rows were all known.
  private var whole: SearchResult { withRowsRead?.result ?? result }

  /// What it took to learn which rows pass: during the search, or else afterwards.
  private var filterDuration: Duration {
    let reading = steps.reduce(Duration.zero) { sum, done in
      if case .read = done.step { sum + done.duration } else { sum }
    }
    return withRowsRead == nil && reading > .zero ? reading : rowsDuration
  }

  // MARK: For people

  func text(width: Int) -> String {
    let body = parts.segments.map { segment($0, width: width) } + deltaLines
    guard let withRowsRead else {
      return (modelLines + filterLines + body + [answer("answer", result, duration)]).joined(separator: "\n")
    }
    let again = answer("answer with its rows read", withRowsRead.result, withRowsRead.duration)
    return
      (modelLines + filterLines + [
        answer("answer", result, duration), "", "with its rows read, as when it is asked again:",
      ]
      + body + [again]).joined(separator: "\n")
  }

  private var modelLines: [String] { model.map { ["model: \($0)"] } ?? [] }

  private var filterLines: [String] {
    guard let filter, let yielded = whole.rowsYielded else { return ["no filter: \(grouped(rows)) rows"] }
    let without = whole.rowsWithoutVector ?? 0
    return ["filter: \(filter)"] + steps.map { "  \(Self.words($0.step)) in \(Self.milliseconds($0.duration))" } + [
      "  \(withRowsRead == nil ? "yielded" : "all of it yields") \(grouped(yielded)) row ids in "
        + "\(Self.milliseconds(filterDuration)); \(grouped(passing)) of "
        + "\(grouped(rows)) rows pass (\(Self.percent(passing, of: rows)))"
        + (without > 0 ? ", \(grouped(without)) of the ids have no vector and are ignored" : "")
    ]
  }

  private static func words(_ step: FilterTrace.Step) -> String {
    switch step {
    case .kept: "took the rows that an earlier search had read"
    case .read(let rows, let isFinished):
      "read \(grouped(rows)) row ids, \(isFinished ? "to the end" : "which is not the end"),"
    case .found(let rows, let plan, let nanoseconds):
      "found the \(grouped(rows)) nearest rows, not asking SQL, by \(plan.rawValue) "
        + "(\(milliseconds(.nanoseconds(Int(nanoseconds)))) expected)"
    case .checked(let rows, let passing?): "checked \(grouped(rows)) of them, of which \(grouped(passing)) pass,"
    case .checked(let rows, nil): "gave up checking \(grouped(rows)) of them, which took too many steps each,"
    }
  }

  private func segment(_ part: StoreExplanation.Part, width: Int) -> String {
    let head =
      "segment \(part.name): \(grouped(part.rows)) rows"
      + (filter == nil ? "" : ", \(grouped(part.passing)) pass (\(Self.percent(part.passing, of: part.rows)))")
    guard part.passing > 0 else { return head + ": nothing to search" }
    var table = TextTable(header: ["  plan", "estimated us", "estimated scores", ""])
    for (i, estimate) in part.estimates.enumerated() {
      table.append([
        TextTable.Cell(text: "  " + estimate.plan.rawValue),
        TextTable.Cell(text: BenchReport.fixed(estimate.nanoseconds / 1_000, 1), isNumber: true),
        TextTable.Cell(text: grouped(Int(estimate.scores.rounded())), isNumber: true),
        TextTable.Cell(text: i == 0 && part.estimates.count > 1 ? "cheapest" : ""),
      ])
    }
    let estimates = part.estimates.isEmpty ? "" : "\n" + table.render(width: width)
    return head + estimates + "\n  \(reason(part)): \(Self.work(part.counters)) in \(Self.milliseconds(part.duration))"
  }

  /// What answered, and why.
  private func reason(_ part: StoreExplanation.Part) -> String {
    let answered = "answered by \(part.plan.rawValue)"
    guard let cheapest = part.estimates.first, part.estimates.count > 1 else { return answered }
    if part.plan == .exact, part.counters.listsProbed > 0 { return answered + ": lists scored all that pass" }
    if let plan, !part.estimates.contains(where: { $0.plan.rawValue == plan.rawValue }) {
      return answered + ": this segment has no \(plan.rawValue)"
    }
    let wanted = part.estimates.first { $0.plan.rawValue == plan?.rawValue } ?? cheapest
    if wanted.plan != part.plan { return answered + ": \(wanted.plan.rawValue) met too few rows that pass" }
    return answered + (cheapest.plan == part.plan ? ", the cheapest" : ", as the settings say")
  }

  private var deltaLines: [String] {
    guard parts.deltaRows > 0 else { return [] }
    return [
      "new rows, not in a segment yet: \(grouped(parts.deltaRows)), \(grouped(parts.deltaPassing)) pass: all scored"
    ]
  }

  private func answer(_ name: String, _ result: SearchResult, _ duration: Duration) -> String {
    let count = result.hits.count == 1 ? "1 row" : "\(grouped(result.hits.count)) rows"
    let checked = result.filter?.rowsChecked ?? 0
    return "\(name): \(count) of k = \(grouped(k)), \(result.isExact ? "exact" : "approximate"), "
      + "\(result.isComplete ? "complete" : "incomplete: there may be more within the distance; --exact proves")"
      + "; plan: \(result.plan); \(Self.work(result.counters))"
      + (checked > 0 ? ", \(grouped(checked)) rows checked" : "") + " in \(Self.milliseconds(duration))"
  }

  private static func work(_ counters: SearchCounters) -> String {
    work(counters.distanceComputations, counters.rowsScored, counters.nodesExpanded, counters.listsProbed)
  }

  private static func work(_ counters: SearchResult.Counters) -> String {
    work(counters.distanceComputations, counters.rowsScored, counters.nodesExpanded, counters.listsProbed)
  }

  private static func work(_ distances: Int, _ rows: Int, _ nodes: Int, _ lists: Int) -> String {
    "\(grouped(distances)) distance computations, \(grouped(rows)) rows scored"
      + (nodes > 0 ? ", \(grouped(nodes)) nodes followed" : "") + (lists > 0 ? ", \(grouped(lists)) lists scanned" : "")
  }

  private static func milliseconds(_ duration: Duration) -> String {
    BenchReport.fixed(duration / .milliseconds(1), 3) + " ms"
  }

  private static func percent(_ part: Int, of whole: Int) -> String {
    whole == 0 ? "0 %" : BenchReport.fixed(100 * Double(part) / Double(whole), 2) + " %"
  }

  // MARK: For programs

  func json(query: Int) -> String {
    var json = JSONWriter()
    json.object { json in
      json.member("query", query)
      json.member("k", k)
      SearchOutput.write(result, &json)
      write(&json)
    }
    return json.text
  }

  /// The members of an object.
  func write(_ json: inout JSONWriter) {
    json.member("model", model)
    json.key("filter")
    if let filter {
      json.object { json in
        json.member("sql", filter)
        json.member("rows_yielded", whole.rowsYielded ?? 0)
        json.member("rows_passing", passing)
        json.member("rows_without_vector", whole.rowsWithoutVector)
        json.key("selectivity")
        json.number(rows == 0 ? 0 : Double(passing) / Double(rows))
        json.key("milliseconds")
        json.number(filterDuration / .milliseconds(1))
        json.key("steps")
        json.array { json in steps.forEach { Self.write($0.step, $0.duration, &json) } }
      }
    } else {
      json.null()
    }
    json.member("rows", rows)
    json.key("segments")
    json.array { json in parts.segments.forEach { Self.write($0, &json) } }
    json.key("delta")
    json.object { json in
      json.member("rows", parts.deltaRows)
      json.member("rows_passing", parts.deltaPassing)
    }
    json.key("milliseconds")
    json.number(duration / .milliseconds(1))
    json.key("with_rows_read")
    guard let withRowsRead else { return json.null() }
    json.object { json in
      SearchOutput.write(withRowsRead.result, &json)
      json.key("milliseconds")
      json.number(withRowsRead.duration / .milliseconds(1))
    }
  }

  private static func write(_ step: FilterTrace.Step, _ duration: Duration, _ json: inout JSONWriter) {
    json.object { json in
      switch step {
      case .kept: json.member("step", "kept")
      case .read(let rows, let isFinished):
        json.member("step", "read")
        json.member("rows", rows)
        json.key("finished")
        json.bool(isFinished)
      case .found(let rows, let plan, let nanoseconds):
        json.member("step", "found")
        json.member("rows", rows)
        json.member("plan", plan.rawValue)
        json.key("expected_milliseconds")
        json.number(nanoseconds / 1e6)
      case .checked(let rows, let passing):
        json.member("step", "checked")
        json.member("rows", rows)
        json.member("rows_passing", passing)
      }
      json.key("milliseconds")
      json.number(duration / .milliseconds(1))
    }
  }

  private static func write(_ part: StoreExplanation.Part, _ json: inout JSONWriter) {
    json.object { json in
      json.member("file", part.name)
      json.member("rows", part.rows)
      json.member("rows_passing", part.passing)
      json.key("estimates")
      json.array { json in
        for estimate in part.estimates {
          json.object { json in
            json.member("plan", estimate.plan.rawValue)
            json.key("scores")
            json.number(estimate.scores)
            json.key("microseconds")
            json.number(estimate.nanoseconds / 1_000)
          }
        }
      }
      json.member("plan", part.plan.rawValue)
      json.member("distance_computations", part.counters.distanceComputations)
      json.member("rows_scored", part.counters.rowsScored)
      json.key("milliseconds")
      json.number(part.duration / .milliseconds(1))
    }
  }
}
