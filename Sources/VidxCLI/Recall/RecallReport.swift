import Vidx

/// The measured recall of an index, by filter.
struct RecallReport {
  /// What was asked: "things: hnsw, cosine, ..."
  let subject: String
  let index: String
  let rowCount: Int
  let sample: Int
  let k: Int
  let measurements: [RecallMeasurement]

  // MARK: For people

  func text(width: Int) -> String {
    let recalls = measurements.first?.reaching.map(\.recall) ?? []
    var table = TextTable(
      header: ["filter", "rows", "near", "recall@\(k)", "+-", "distances", "plan"] + recalls.map { "for \($0)" })
    for one in measurements {
      let outcome = one.atDefault
      let numbers = [
        one.filter.yielded.map { grouped(Int($0.rounded())) } ?? grouped(rowCount),
        one.nearShare.map { BenchReport.fixed(100 * $0, 1) + " %" } ?? "", BenchReport.fixed(outcome.recall, 4),
        BenchReport.fixed(outcome.recallError, 4), grouped(Int(outcome.distanceComputations.rounded())),
      ]
      table.append(
        [TextTable.Cell(text: one.name)] + numbers.map { TextTable.Cell(text: $0, isNumber: true) }
          + [TextTable.Cell(text: Self.plans(outcome))] + one.reaching.map { TextTable.Cell(text: advice(one, $0)) })
    }
    var notes = [
      "At default settings; \"near\" is the share of the nearest rows, the filter aside, that pass it: small is hard."
    ]
    if measurements.contains(where: { $0.asked == .first }) {
      notes.append(
        "Asked for the first time, rows are found first and then checked against the filter; asked again, its rows have "
          + "been read.")
    }
    return [subject, table.render(width: width), notes.joined(separator: "\n")].joined(separator: "\n\n")
  }

  private static func plans(_ outcome: RecallOutcome) -> String {
    let sorted = outcome.plans.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    return sorted.count == 1 ? sorted[0].key : sorted.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }

  private func advice(_ one: RecallMeasurement, _ wanted: (recall: Double, setting: BenchSetting?)) -> String {
    if one.atDefault.isExact { return "exact anyway" }
    return wanted.setting?.spelling ?? "--exact"
  }

  // MARK: For programs

  /// One object a filter.
  var json: [String] {
    measurements.map { one in
      var json = JSONWriter()
      json.object { json in
        json.member("index", index)
        json.member("filter", one.filter.name)
        json.key("asked")
        if let asked = one.asked { json.string(asked.rawValue) } else { json.null() }
        json.member("k", k)
        json.member("sample", sample)
        json.member("rows", rowCount)
        json.key("rows_yielded")
        if let yielded = one.filter.yielded { json.number(yielded) } else { json.null() }
        json.key("near_share")
        if let share = one.nearShare { json.number(share) } else { json.null() }
        for (name, value) in [
          ("recall", one.atDefault.recall), ("recall_error", one.atDefault.recallError),
          ("distance_computations", one.atDefault.distanceComputations), ("rows_scored", one.atDefault.rowsScored),
          ("rows_checked", one.atDefault.rowsChecked),
        ] {
          json.key(name)
          json.number(value)
        }
        json.key("exact")
        json.bool(one.atDefault.isExact)
        json.key("plans")
        json.object { json in
          for (plan, count) in one.atDefault.plans.sorted(by: { $0.key < $1.key }) { json.member(plan, count) }
        }
        json.key("reaching")
        json.array { json in
          for wanted in one.reaching { Self.write(wanted, one, &json) }
        }
      }
      return json.text
    }
  }

  private static func write(
    _ wanted: (recall: Double, setting: BenchSetting?), _ one: RecallMeasurement, _ json: inout JSONWriter
  ) {
    json.object { json in
      json.key("recall")
      json.number(wanted.recall)
      json.member("setting", one.atDefault.isExact ? "default" : wanted.setting?.name.rawValue ?? "exact")
      json.key("value")
      if let setting = wanted.setting { json.number(setting.value) } else { json.null() }
    }
  }
}

extension RecallMeasurement {
  /// For people; what is too long for the table is cut off at its end.
  fileprivate var name: String {
    switch asked {
    case .first: "first time: " + filter.name
    case .again, nil: filter.name
    }
  }
}
