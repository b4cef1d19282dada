import Foundation

/// How many cases a fuzzer tries and with which numbers. Without these variables, few, the same every time:
///
///     VIDX_FUZZ_CASES=1000000   so many for each kind of input
///     VIDX_FUZZ_SEED=7          others than usual
///     VIDX_FUZZ_TRACE=file      keeps the present case there, for when it ends the process
enum FuzzCases {
  private static let environment = ProcessInfo.processInfo.environment

  static func count(_ usual: Int) -> Int { environment["VIDX_FUZZ_CASES"].flatMap { Int($0) } ?? usual }

  static func seed(_ usual: UInt64) -> UInt64 {
    usual &+ (environment["VIDX_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0) &* 1_000_003
  }

  static func note(_ text: @autoclosure () -> String) throws {
    guard let path = environment["VIDX_FUZZ_TRACE"] else { return }
    try text().write(toFile: path, atomically: true, encoding: .utf8)
  }
}
