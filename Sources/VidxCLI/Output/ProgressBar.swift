import Synchronization

/// A bar with rate and remaining time on standard error, when that is a terminal; silent otherwise.
///
/// Sendable: reports may come from any thread. A report that finds another being drawn is dropped.
final class ProgressBar: Sendable {
  private struct State {
    var stage = ""
    var stageStart: ContinuousClock.Instant
    var lastDrawn: ContinuousClock.Instant?
    var isOnScreen = false
  }

  private let state: Mutex<State>
  private let isActive: Bool

  init(isActive: Bool = Terminal.isErrorTerminal) {
    self.isActive = isActive
    state = Mutex(State(stageStart: .now))
  }

  func report(stage: String, done: Int, total: Int) {
    guard isActive else { return }
    _ = state.withLockIfAvailable { state in
      let now = ContinuousClock.now
      if stage != state.stage { (state.stage, state.stageStart, state.lastDrawn) = (stage, now, nil) }
      if let last = state.lastDrawn, now - last < .milliseconds(100), done < total { return }
      state.lastDrawn = now
      state.isOnScreen = true
      let seconds = (now - state.stageStart) / .seconds(1)
      Terminal.write("\r\u{1B}[K" + Self.line(stage: stage, done: done, total: total, seconds: seconds), to: 2)
    }
  }

  /// Takes the bar off the screen.
  func finish() {
    guard isActive else { return }
    state.withLock { state in
      if state.isOnScreen { Terminal.write("\r\u{1B}[K", to: 2) }
      state.isOnScreen = false
      state.stage = ""
    }
  }

  /// "linking  [#####.....]  50 %  42,297 of 84,594  10,574/s  0:04 left"
  static func line(stage: String, done: Int, total: Int, seconds: Double) -> String {
    let share = total > 0 ? min(1, Double(done) / Double(total)) : 0
    let filled = Int(share * 24)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
    var text = "\(stage)  [\(bar)]  \(Int(share * 100)) %  \(grouped(done)) of \(grouped(total))"
    guard seconds > 0.2, done > 0 else { return text }
    let rate = Double(done) / seconds
    text += "  \(grouped(Int(rate)))/s"
    if done < total { text += "  \(clock(Int((Double(total - done) / rate).rounded(.up)))) left" }
    return text
  }

  static func clock(_ seconds: Int) -> String {
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
  }
}

/// A number with commas between thousands.
func grouped(_ number: Int) -> String {
  let digits = String(number.magnitude)
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index).isMultiple(of: 3) { result.append(",") }
    result.append(digit)
  }
  return number < 0 ? "-" + result : result
}

/// Bytes as people read them: "12.4 MiB".
func byteSize(_ bytes: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
  if unit == 0 { return "\(bytes) B" }
  let tenths = Int((value * 10).rounded())
  return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}
