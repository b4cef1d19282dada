import Foundation
import Testing

/// The built `vidx` run as a process, in a directory of its own.
final class Sandbox: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "vidx-cli-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

  @discardableResult
  func write(_ name: String, _ data: Data) throws -> String {
    try data.write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    /// One JSON object a line.
    func objects() throws -> [[String: Any]] {
      try output.split(separator: "\n").map { line in
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
      }
    }
  }

  /// Beside the test program: where the package manager puts what it builds.
  static var toolPath: String {
    let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    return tests.deletingLastPathComponent().appendingPathComponent("vidx").path
  }

  /// Starts the tool here; its output goes to files, so that no pipe can fill up.
  func start(_ arguments: [String], program: String = toolPath) throws -> Running {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    let name = UUID().uuidString
    let (output, errors) = (try write(".\(name).out", ""), try write(".\(name).err", ""))
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
    try process.run()
    return Running(process: process, output: output, errors: errors)
  }

  struct Running {
    let process: Process
    let output: String
    let errors: String

    func wait() throws -> Outcome {
      process.waitUntilExit()
      #expect(process.terminationReason == .exit, "the tool was ended by signal \(process.terminationStatus)")
      defer {
        try? FileManager.default.removeItem(atPath: output)
        try? FileManager.default.removeItem(atPath: errors)
      }
      return Outcome(
        status: process.terminationStatus, output: try String(contentsOfFile: output, encoding: .utf8),
        errors: try String(contentsOfFile: errors, encoding: .utf8))
    }
  }

  func run(_ arguments: String...) throws -> Outcome { try start(arguments).wait() }

  /// Runs the tool, which must succeed and say nothing on standard error.
  @discardableResult
  func succeed(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
    let outcome = try start(arguments).wait()
    try #require(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.errors == "", sourceLocation: sourceLocation)
    return outcome
  }

  /// Runs the tool, which must fail with one line on standard error that holds all the words, and change nothing.
  func fail(
    _ status: Int32 = 1, saying words: [String], _ arguments: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try contents()
    let outcome = try start(arguments).wait()
    #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.output == "", sourceLocation: sourceLocation)
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count == 1 && outcome.errors.hasPrefix("vidx: "), "\(outcome.errors)", sourceLocation: sourceLocation)
    for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)", sourceLocation: sourceLocation) }
    #expect(try contents() == before, "the failure changed files", sourceLocation: sourceLocation)
  }

  /// Every visible file and what is in it. SQLite's shared memory and empty log, which readers make, do not count.
  func contents() throws -> [String: Data] {
    var result: [String: Data] = [:]
    for case let name as String in try #require(FileManager.default.enumerator(atPath: path)) where !name.hasPrefix(".")
    {
      if name.hasSuffix("-shm") { continue }
      guard let data = FileManager.default.contents(atPath: file(name)) else { continue }
      if name.hasSuffix("-wal"), data.isEmpty { continue }
      result[name] = data
    }
    return result
  }
}

/// Vectors and rows to test with: `count` vectors of 8 dimensions, rows with a category and a name.
struct Sample {
  let vectors: [[Float]]

  static let dimensions = 8

  init(count: Int, seed: UInt64 = 7) {
    var state = seed
    func next() -> Float {
      // Knuth's MMIX generator; the upper bits.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) / Float(1 << 23) - 1
    }
    vectors = (0..<count).map { _ in (0..<Self.dimensions).map { _ in next() } }
  }

  var npy: Data { Self.npy(vectors) }

  static func npy(
    _ vectors: [[Float]], type: String = "<f4", fortran: Bool = false, shape: String? = nil
  ) -> Data {
    let shape = shape ?? "(\(vectors.count), \(vectors.first?.count ?? 0))"
    let header = "{'descr': '\(type)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape), }\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0])
    data.append(contentsOf: [UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)])
    data.append(contentsOf: header.utf8)
    for component in vectors.joined() {
      data.append(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: component.bitPattern >> (8 * UInt32($0))) })
    }
    return data
  }

  /// Row i has id 10 * i + 1, so that ids are not positions.
  var rows: String {
    vectors.indices.map { row in
      let category = row % 3 == 0 ? "red" : "blue"
      return "{\"id\": \(row * 10 + 1), \"name\": \"row \(row)\", \"category\": \"\(category)\", \"size\": \(row)}\n"
    }.joined()
  }

  /// The ids of the k nearest under cosine among the rows that pass, by brute force.
  func nearest(to query: [Float], k: Int, where passes: (Int) -> Bool = { _ in true }) -> [Int] {
    func cosine(_ a: [Float], _ b: [Float]) -> Double {
      let dot = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      func norm(_ v: [Float]) -> Double { v.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
      return 1 - dot / (norm(a) * norm(b))
    }
    let passing = vectors.indices.filter(passes).map { (distance: cosine(query, vectors[$0]), id: $0 * 10 + 1) }
    return passing.sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }.prefix(k).map(\.id)
  }
}
