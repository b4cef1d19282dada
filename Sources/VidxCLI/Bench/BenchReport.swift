/// The measurements of an index, and which setting to take.
struct BenchReport {
  /// What was asked: "things: hnsw, cosine, ..."
  let subject: String
  let index: String
  let k: Int
  let threads: Int
  /// The recalls that settings are wanted for.
  let recalls: [Double]
  /// The one setting that was to be measured; nil: all there are.
  let only: BenchSetting?
  let measurements: [BenchMeasurement]

  /// The setting with the least work of those that have a recall.
  func recommended(for recall: Double) -> BenchMeasurement? {
    measurements.filter { $0.recall >= recall }.min { $0.distanceComputations < $1.distanceComputations }
  }

  // MARK: For people

  func text(width: Int) -> String {
    var names: [BenchSetting.Name] = []
    for one in measurements where !names.contains(one.setting.name) { names.append(one.setting.name) }
    let tables = names.map { name in
      table(name, measurements.filter { $0.setting.name == name }).render(width: width)
    }
    return ([subject] + tables + [advice]).joined(separator: "\n\n")
  }

  private func table(_ name: BenchSetting.Name, _ measurements: [BenchMeasurement]) -> TextTable {
    var table = TextTable(
      header: [
        name.rawValue, "recall@\(k)", "+-", "queries/s", "p50 us", "p95 us", "p99 us", "distances", "KiB read",
      ])
    for one in measurements {
      let numbers = [
        one.setting.valueText, Self.fixed(one.recall, 4), Self.fixed(one.recallError, 4),
        grouped(Int(one.queriesPerSecond.rounded())), Self.fixed(one.p50 * 1e6, 1), Self.fixed(one.p95 * 1e6, 1),
        Self.fixed(one.p99 * 1e6, 1), grouped(Int(one.distanceComputations.rounded())),
        grouped(Int((one.bytesRead / 1024).rounded())),
      ]
      table.append(numbers.map { TextTable.Cell(text: $0, isNumber: true) })
    }
    return table
  }

  private var advice: String {
    if measurements.first?.setting.name == .exact { return "a flat index is exact: there is nothing to set" }
    return recalls.map(advice).joined(separator: "\n")
  }

  private func advice(_ recall: Double) -> String {
    if let best = recommended(for: recall) {
      return "for recall \(recall): \(best.setting.spelling) (recall \(Self.fixed(best.recall, 4)), "
        + "\(grouped(Int(best.queriesPerSecond.rounded()))) queries/s)"
    }
    guard let best = measurements.max(by: { $0.recall < $1.recall }) else { return "nothing was measured" }
    return "no recommendation for recall \(recall): no setting measured has it; the best is \(best.setting.spelling) "
      + "with \(Self.fixed(best.recall, 4)): \(cure(best.setting.name))"
  }

  /// What to do when the recall wanted was not reached.
  private func cure(_ name: BenchSetting.Name) -> String {
    if let only { return "leave out \(only.spelling) to measure others" }
    switch name {
    case .efSearch, .targetRecall: return "build the index with a larger --m or --ef-construction"
    case .probes: return "build the index with fewer --lists"
    case .exact: return "there is nothing to set"
    }
  }

  /// A number with so many digits after the point.
  static func fixed(_ number: Double, _ digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { product, _ in product * 10 }
    let scaled = (number * scale).rounded()
    guard abs(scaled) < 1e15 else { return number.description }
    let text = String(Int(abs(scaled)))
    let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
    return (scaled < 0 ? "-" : "") + grouped(Int(padded.dropLast(digits)) ?? 0) + "." + padded.suffix(digits)
  }

  // MARK: For programs

  /// One object a setting.
  var json: [String] {
    let best = recalls.map { (recall: $0, setting: recommended(for: $0)?.setting) }
    let missed = best.filter { $0.setting == nil }.map(\.recall)
    return measurements.map { one in
      var json = JSONWriter()
      json.object { json in
        json.member("index", index)
        json.member("setting", one.setting.name.rawValue)
        json.key("value")
        switch one.setting.name {
        case .exact: json.null()
        case .targetRecall: json.number(one.setting.value)
        case .efSearch, .probes: json.integer(Int64(one.setting.value))
        }
        json.member("k", k)
        json.member("threads", threads)
        for (name, value) in [
          ("recall", one.recall), ("recall_error", one.recallError), ("qps", one.queriesPerSecond),
          ("p50_us", one.p50 * 1e6), ("p95_us", one.p95 * 1e6), ("p99_us", one.p99 * 1e6),
          ("distance_computations", one.distanceComputations), ("bytes_read", one.bytesRead),
        ] {
          json.key(name)
          json.number(value)
        }
        json.key("recommended")
        let wanted = best.filter { $0.setting == one.setting }.map(\.recall)
        json.bool(!wanted.isEmpty)
        json.key("recommended_for")
        json.array { json in wanted.forEach { json.number($0) } }
        json.key("not_reached")
        json.array { json in missed.forEach { json.number($0) } }
      }
      return json.text
    }
  }
}
