/// The measurements of an index, and which setting to take.
struct BenchReport {
  /// What was asked: "things: hnsw, cosine, ..."
  let subject: String
  let index: String
  let k: Int
  let threads: Int
  let recall: Double
  let measurements: [BenchMeasurement]

  /// The first setting, and so that with the least work, that has the recall wanted.
  var recommended: BenchMeasurement? { measurements.first { $0.recall >= recall } }

  // MARK: For people

  func text(width: Int) -> String {
    var table = TextTable(
      header: [
        measurements.first?.setting.name.rawValue ?? "setting", "recall@\(k)", "+-", "queries/s", "p50 us", "p95 us",
        "p99 us", "distances",
      ])
    for one in measurements {
      let numbers = [
        one.setting.name == .exact ? "-" : grouped(one.setting.value), Self.fixed(one.recall, 4),
        Self.fixed(one.recallError, 4), grouped(Int(one.queriesPerSecond.rounded())), Self.fixed(one.p50 * 1e6, 1),
        Self.fixed(one.p95 * 1e6, 1), Self.fixed(one.p99 * 1e6, 1),
        grouped(Int(one.distanceComputations.rounded())),
      ]
      table.append(numbers.map { TextTable.Cell(text: $0, isNumber: true) })
    }
    return "\(subject)\n\n\(table.render(width: width))\n\n\(advice)"
  }

  private var advice: String {
    if measurements.first?.setting.name == .exact { return "a flat index is exact: there is nothing to set" }
    if let best = recommended {
      return "for recall \(Self.fixed(recall, 2)): \(best.setting.spelling) (recall \(Self.fixed(best.recall, 4)), "
        + "\(grouped(Int(best.queriesPerSecond.rounded()))) queries/s)"
    }
    guard let best = measurements.max(by: { $0.recall < $1.recall }) else { return "nothing was measured" }
    let cure: String
    switch best.setting.name {
    case .efSearch: cure = "build the index with a larger --m or --ef-construction"
    case .probes: cure = "build the index with fewer --lists"
    case .exact: cure = "there is nothing to set"
    }
    return "no setting measured has recall \(Self.fixed(recall, 2)); the best is \(best.setting.spelling) with "
      + "\(Self.fixed(best.recall, 4)): \(cure)"
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
    let best = recommended?.setting
    return measurements.map { one in
      var json = JSONWriter()
      json.object { json in
        json.member("index", index)
        json.member("setting", one.setting.name.rawValue)
        json.key("value")
        if one.setting.name == .exact { json.null() } else { json.integer(Int64(one.setting.value)) }
        json.member("k", k)
        json.member("threads", threads)
        for (name, value) in [
          ("recall", one.recall), ("recall_error", one.recallError), ("qps", one.queriesPerSecond),
          ("p50_us", one.p50 * 1e6), ("p95_us", one.p95 * 1e6), ("p99_us", one.p99 * 1e6),
          ("distance_computations", one.distanceComputations),
        ] {
          json.key(name)
          json.number(value)
        }
        json.key("recommended")
        json.bool(one.setting == best)
      }
      return json.text
    }
  }
}
