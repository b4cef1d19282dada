/// The virtual tables that a text may ask: those whose names stand in it, or in a view that it names.
struct VirtualTables {
  /// Of each its module, in small letters; `unknown` where that is not certain.
  private(set) var modules: Set<String> = []
  /// The first in the alphabet that is not known to keep to the database and its arguments; nil when all are.
  private(set) var refused: String?

  static let unknown = ""
  /// They keep what they answer in the same database.
  static let stored: Set<String> = ["vidx", "fts5", "fts4", "fts3", "rtree", "rtree_i32"]
  /// They answer from their arguments.
  static let ofArguments: Set<String> = ["json_each", "json_tree"]
  /// They read nothing but the database and their arguments, or nothing at all.
  private static let harmless = stored.union(ofArguments).union([
    "geopoly", "fts4aux", "fts5vocab", "generate_series",
  ])

  private static func isHarmless(_ module: String) -> Bool {
    // Only what reads can be asked so.
    harmless.contains(module) || module.hasPrefix("pragma_")
  }

  /// - Complexity: reads the names of all views and virtual tables.
  init(namedIn sql: String, _ connection: Connection) throws(SQLiteError) {
    var (views, names): ([(name: String, definition: String)], [(name: String, module: String)]) = ([], [])
    let statement = try connection.prepare(try Self.catalogue(connection))
    while try statement.step() {
      let (name, definition) = (statement.text(1) ?? "", statement.text(2) ?? "")
      switch statement.text(0) {
      case "view": views.append((name, definition))
      case "module": names.append((name, name.lowercased()))
      default: names.append((name, Self.module(ofDefinition: definition) ?? Self.unknown))
      }
    }
    var texts = [Array(sql.lowercased().utf8)]
    // A view may name others.
    var isGrowing = true
    while isGrowing {
      let count = views.count
      views.removeAll { view in
        guard texts.contains(where: { Self.has(view.name, in: $0) }) else { return false }
        texts.append(Array(view.definition.lowercased().utf8))
        return true
      }
      isGrowing = views.count < count
    }
    var refused: [String] = []
    for (name, module) in names where texts.contains(where: { Self.has(name, in: $0) }) {
      modules.insert(module)
      if !Self.isHarmless(module) { refused.append(name) }
    }
    // What is read was not found by its name.
    self.refused = modules.isEmpty ? "a virtual table" : refused.min()
  }

  /// Views and virtual tables of all schemas, and modules that are tables themselves.
  private static func catalogue(_ connection: Connection) throws(SQLiteError) -> String {
    let schemas = try connection.prepare("PRAGMA database_list")
    var parts: [String] = []
    while try schemas.step() {
      guard let schema = schemas.text(1) else { continue }
      parts.append(
        "SELECT type, name, sql FROM \(quoted(identifier: schema)).sqlite_master "
          + "WHERE rootpage = 0 AND type IN ('table', 'view')")
    }
    return (parts + ["SELECT 'module', name, NULL FROM pragma_module_list"]).joined(separator: " UNION ALL ")
  }

  /// The name stands somewhere, as it is or with a quotation mark of it doubled.
  private static func has(_ name: String, in text: [UInt8]) -> Bool {
    let name = Array(name.lowercased().utf8)
    if hasWord(name, in: text) { return true }
    return "\"'`".utf8.contains { mark in
      name.contains(mark) && hasWord(name.flatMap { $0 == mark ? [mark, mark] : [$0] }, in: text)
    }
  }

  /// The name stands somewhere, not as a part of another one.
  private static func hasWord(_ name: [UInt8], in text: [UInt8]) -> Bool {
    guard let first = name.first, name.count <= text.count else { return false }
    for start in 0...(text.count - name.count) where text[start] == first {
      let end = start + name.count
      guard text[start..<end].elementsEqual(name) else { continue }
      let isWhole = (start == 0 || !isPartOfName(text[start - 1])) && (end == text.count || !isPartOfName(text[end]))
      if isWhole { return true }
    }
    return false
  }

  private static func isPartOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 128...: true
    default: false
    }
  }

  /// The module of CREATE VIRTUAL TABLE; nil when it is not certain.
  static func module(ofDefinition definition: String) -> String? {
    let words = definition.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    guard let using = words.lastIndex(of: "using"), using + 1 < words.count else { return nil }
    // The first USING may be part of the name, the last of an argument.
    guard let first = words.firstIndex(of: "using"), first == using else { return nil }
    return String(words[using + 1])
  }
}
