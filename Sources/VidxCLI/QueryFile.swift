import Vidx
import VidxFiles

/// Query vectors from files.
enum QueryFile {
  /// All vectors of a file, or one.
  static func vectors(_ path: String, field: String?, row: Int?) throws -> [[Float]] {
    let file = try VectorFormat.open(path, field: field ?? "vector")
    guard let row else { return try (0..<file.count).map { try file.vector($0) } }
    return [try vector(row, of: file)]
  }

  /// The vector that "file.npy[3]" means.
  static func vector(reference: String) throws -> [Float] {
    guard reference.hasSuffix("]"), let open = reference.lastIndex(of: "["),
      let row = Int(reference[reference.index(after: open)...].dropLast())
    else { throw UsageError("@\(reference): @FILE[ROW] expected, for example @queries.npy[0]") }
    return try vector(row, of: try VectorFormat.open(String(reference[..<open])))
  }

  private static func vector(_ row: Int, of file: any VectorFile) throws -> [Float] {
    guard row >= 0, row < file.count else {
      throw VidxError(
        .badOption, "\(file.path) has no row \(row); it has \(file.count) rows, counted from 0")
    }
    return try file.vector(row)
  }
}
