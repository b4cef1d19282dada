import CVidxExtension
import VidxIndexes
import VidxSQLite
import VidxSegments
import VidxVectors

@c(vidx_info)
public func info(
  _ index: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    let index = try unsafe OpenIndex.of(index)
    guard let json = unsafe json else { throw Failure(VIDX_BAD_ARGUMENT, "json is NULL; give the place for a text") }
    let (snapshot, contents) = try index.described()
    let text = Description.json(path: index.reader.path, snapshot, content: contents)
    unsafe json.pointee = vidx_copy_text(text)
  }
}

/// An index in words, for vidx_info.
private enum Description {
  static func json(path: String, _ snapshot: IndexSnapshot, content: IndexContents) -> String {
    let configuration = snapshot.configuration
    var fields = [
      field("name", quoted(content.name)), field("path", quoted(path)),
      field("dimensions", "\(configuration.dimensions)"), field("metric", quoted(configuration.metric.rawValue)),
      field("type", quoted(configuration.kind.name)), field("codec", quoted(configuration.codec.name)),
      field("model", snapshot.model.map(quoted) ?? "null"),
    ]
    switch configuration.kind {
    case .flat: break
    case .ivfflat: fields.append(field("lists", "\(configuration.lists)"))
    case .hnsw:
      fields += [field("m", "\(configuration.m)"), field("ef_construction", "\(configuration.efConstruction)")]
    }
    let segments = content.segments.map { segment in
      "{"
        + [
          field("file", quoted(segment.file)), field("rows", "\(segment.rows)"), field("bytes", "\(segment.bytes)"),
          field("codec", quoted(segment.codec.rawValue)), field("code_bytes", "\(segment.bytesPerCode)"),
        ].joined(separator: ", ") + "}"
    }
    fields += [
      field("seed", "\(configuration.seed)"), field("rows", "\(content.rows)"),
      field("segments", "[" + segments.joined(separator: ", ") + "]"), field("delta_rows", "\(content.deltaRows)"),
      field("deleted_rows", "\(content.deletedRows)"),
      field(
        "settings",
        "{" + content.settings.list.map { field($0.name, $0.word.map(quoted) ?? "\($0.value)") }.joined(separator: ", ")
          + "}"),
    ]
    return "{" + fields.joined(separator: ", ") + "}"
  }

  private static func field(_ name: String, _ value: String) -> String { "\"\(name)\": \(value)" }

  /// A JSON string (RFC 8259, section 7).
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
