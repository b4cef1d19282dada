import VidxIndexes

/// How an index is maintained where nobody says otherwise: kept with it, set by commands of SQL (`threads = 2`).
package struct MaintenanceSettings: Sendable, Equatable {
  /// So many new rows are merged; nil for as many as slow searches down.
  package var mergeAfter: Int?
  /// To build with; nil for as many as there are processors, and for one where the library merges by itself.
  package var threads: Int?
  /// Bytes that a build may take; nil for most of the machine's.
  package var memory: Int?
  /// The extension merges without being asked: see `BackgroundMerges`. The library has a choice of its own.
  package var isInBackground = false

  package init() {}

  /// As commands and the stored keys spell them.
  enum Name: String, CaseIterable {
    case mergeAfter = "merge_after"
    case threads
    case memory
    case maintenance

    var limits: ClosedRange<Int> {
      switch self {
      case .mergeAfter: 1...IndexLimits.entries
      case .threads: 1...1_024
      // Less takes the process itself.
      case .memory: 1 << 24...1 << 50
      case .maintenance: 1...1
      }
    }

    var values: String {
      switch self {
      case .mergeAfter, .threads: "a whole number from \(limits.lowerBound) to \(limits.upperBound), or auto"
      case .memory: "a size from 16M on, such as 512M or 8G, or auto"
      case .maintenance: "background, or off"
      }
    }

    /// - Returns: nil for what is none of the values.
    func value(of text: String) -> Int? {
      let number =
        switch self {
        case .mergeAfter, .threads: Int(text)
        case .memory: BuildMemory.bytes(of: text)
        case .maintenance: text == "background" ? 1 : nil
        }
      return number.flatMap { limits.contains($0) ? $0 : nil }
    }
  }

  subscript(name: Name) -> Int? {
    get {
      switch name {
      case .mergeAfter: mergeAfter
      case .threads: threads
      case .memory: memory
      case .maintenance: isInBackground ? 1 : nil
      }
    }
    set {
      switch name {
      case .mergeAfter: mergeAfter = newValue
      case .threads: threads = newValue
      case .memory: memory = newValue
      case .maintenance: isInBackground = newValue != nil
      }
    }
  }

  /// Those that are set, by the names of SQL.
  package var list: [(name: String, value: Int, word: String?)] {
    Name.allCases.compactMap { name in
      self[name].map { (name.rawValue, $0, name == .maintenance ? "background" : nil) }
    }
  }
}

/// A command that sets one of them.
struct SettingCommand: Equatable {
  let name: MaintenanceSettings.Name
  /// nil takes the setting away.
  let value: Int?

  /// - Returns: nil for another command.
  /// - Throws: `VirtualTableError.setting` for a value that is none.
  init?(_ text: String) throws(VirtualTableError) {
    let parts = text.split(separator: "=", omittingEmptySubsequences: false).map { String($0).trimmed.lowercased() }
    guard parts.count == 2, let name = MaintenanceSettings.Name(rawValue: parts[0]) else { return nil }
    self.name = name
    if parts[1] == "auto" || (name == .maintenance && parts[1] == "off") {
      value = nil
      return
    }
    guard let number = name.value(of: parts[1]) else { throw .setting(name, value: parts[1]) }
    value = number
  }
}

extension IndexStore {
  /// - Throws: `StoreError.damagedDefinition` for a value that no command has set; `SQLiteError`.
  package func maintenanceSettings() throws -> MaintenanceSettings {
    var settings = MaintenanceSettings()
    for name in MaintenanceSettings.Name.allCases {
      let statement = try tables.statement(.readConfig)
      defer { statement.reset() }
      try statement.bind(name.rawValue, at: 1)
      guard try statement.step() else { continue }
      guard statement.type(0) == .integer, name.limits.contains(Int(statement.int64(0))) else {
        throw StoreError.damagedDefinition(index: table, key: name.rawValue)
      }
      settings[name] = Int(statement.int64(0))
    }
    return settings
  }

  package func write(_ settings: MaintenanceSettings) throws(SQLiteError) {
    for name in MaintenanceSettings.Name.allCases { try set(name, settings[name]) }
  }

  /// - Throws: `BuildError.tooLittleMemory` for a size in which no segment could be built.
  func run(_ command: SettingCommand) throws {
    if command.name == .memory, let bytes = command.value {
      try buildMemory(threads: maintenanceSettings().threads ?? 1).check(bytes)
    }
    try set(command.name, command.value)
  }

  private func set(_ name: MaintenanceSettings.Name, _ value: Int?) throws(SQLiteError) {
    let statement = try tables.statement(value == nil ? .deleteConfig : .writeConfig)
    try statement.bind(name.rawValue, at: 1)
    if let value { try statement.bind(value, at: 2) }
    try statement.run()
  }

  /// What is worth merging: by the caller's number of rows, else by the index's setting, else by the length of vectors.
  package func mergePolicy(mergeAfter: Int? = nil) throws -> MergePolicy {
    guard let rows = try mergeAfter ?? maintenanceSettings().mergeAfter else {
      return .standard(dimensions: definition.configuration.dimensions)
    }
    return MergePolicy(deltaRows: rows)
  }

  /// Options with what the caller has left open as the index has it set.
  func completed(_ options: BuildOptions) throws -> BuildOptions {
    let settings = try maintenanceSettings()
    return options.completed(threads: settings.threads, memory: settings.memory)
  }
}
