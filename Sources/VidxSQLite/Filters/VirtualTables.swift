/// The virtual tables that a text may ask: those whose names stand in it, or in a view.
struct VirtualTables {
  /// Of each its module, in small letters; `unknown` where that is not certain.
  private(set) var modules: Set<String> = []

  static let unknown = ""
  /// They keep what they answer in the same database.
  static let stored: Set<String> = ["vidx", "fts5", "fts4", "fts3", "rtree", "rtree_i32"]
  /// They answer from their arguments.
  static let ofArguments: Set<String> = ["json_each", "json_tree"]

  /// - Complexity: reads the names of all views and virtual tables of schemas `main` and `temp`.
  init(namedIn sql: String, _ connection: Connection) throws(SQLiteError) {
    let statement = try connection.prepare(
      """
      SELECT type, name, sql FROM main.sqlite_master WHERE rootpage = 0 AND type IN ('table', 'view')
      UNION ALL
      SELECT type, name, sql FROM temp.sqlite_master WHERE rootpage = 0 AND type IN ('table', 'view')
      UNION ALL
      SELECT 'module', name, NULL FROM pragma_module_list
      """)
    var texts = [sql]
    var names: [(name: String, module: String)] = []
    while try statement.step() {
      let (name, definition) = (statement.text(1) ?? "", statement.text(2) ?? "")
      switch statement.text(0) {
      case "view": texts.append(definition)
      case "module": names.append((name, name.lowercased()))
      default: names.append((name, Self.module(ofDefinition: definition) ?? Self.unknown))
      }
    }
    let words = texts.map { Array($0.lowercased().utf8) }
    for (name, module) in names where words.contains(where: { Self.has(name, in: $0) }) { modules.insert(module) }
  }

  /// The name stands somewhere, not as a part of another one.
  private static func has(_ name: String, in text: [UInt8]) -> Bool {
    let name = Array(name.lowercased().utf8)
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
