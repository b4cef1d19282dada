package import VidxIndexes
import VidxSegments

/// How a merge outside of any transaction gets along with others.
package struct MergeManners {
  /// Tries to get the write lock, in each of which the connection waits as long as it does.
  var attempts = 10
  /// Runs the build, which uses no SQLite.
  var building: (() throws -> Void) throws -> Void = { build in try build() }
  /// Runs between two tries.
  var pause: () -> Void = {}

  /// Of merges that nobody waits for: searches go first, unless there is so much to merge that it slows them down.
  static func unasked(isBehind: Bool) -> MergeManners {
    isBehind ? MergeManners() : MergeManners(building: { build in try Parallel.politely(build) })
  }
}

extension IndexStore {
  /// Merges the delta and all segments into one segment, inside the caller's transaction (SQL: 'optimize'); into as few
  /// as can be built within `options.memory`, where that is too small for one.
  ///
  /// The write lock is held throughout. Replaced files stay for readers of older states; see `sweepRetired`.
  /// - Throws: `StoreError.inMemory`, `.segment`; `BuildError`; `SQLiteError`.
  package func optimize(options: BuildOptions = BuildOptions()) throws {
    let options = try completed(options)
    try sweepRetired()
    try eachMerge(options) { plan in try merge(plan, options: options) }
  }

  /// Plans what there is to merge, one merge after the other, until nothing is left of what there was at first.
  private func eachMerge(_ options: BuildOptions, _ body: (MergePlan) throws -> Void) throws {
    let mostRows = buildMemory(threads: options.threads).rows(within: options.memory)
    var plans = 0
    while let plan = try prepareMerge(mostRows: mostRows) {
      try body(plan)
      plans += 1
      // Each leaves fewer segments or fewer dead rows; writers may add new rows for ever.
      if plan.isWhole || plans > plan.segmentCount { return }
    }
  }

  /// Merges without holding the write lock: builds beside the database from a snapshot, then swaps in a short
  /// transaction of its own, carrying over what changed meanwhile. Sweeps files that are not needed any more. What
  /// another process merges first is planned again, some times.
  /// - Throws: as `optimize`; `StoreError.insideTransaction` when one is open; `.overtaken`. The index is then as it
  ///   was.
  package func optimizeOutsideTransaction(options: BuildOptions = BuildOptions()) throws {
    guard connection.isAutocommit else { throw StoreError.insideTransaction(index: table) }
    let options = try completed(options)
    let identity = try readIdentity()
    var attempts = 8
    while attempts > 0 {
      attempts -= 1
      do {
        try eachMerge(options) { plan in try mergeOutsideTransaction(plan, options: options) }
        break
      } catch StoreError.overtaken {
        guard try attempts > 0 && readIdentity() == identity else { throw StoreError.overtaken(index: table) }
      }
    }
    try Self.tidy(connection, schema: schema)
  }

  /// Merges what a policy chooses, as `optimizeOutsideTransaction` does everything; and sweeps, if there was anything.
  /// - Returns: whether there was.
  @discardableResult
  package func maintain(_ policy: MergePolicy, options: BuildOptions = BuildOptions()) throws -> Bool {
    guard connection.isAutocommit else { throw StoreError.insideTransaction(index: table) }
    let options = try completed(options)
    guard let plan = try prepareMerge(choosing: policy, options: options) else { return false }
    try mergeUnasked(plan, policy, options: options, .unasked(isBehind: plan.isBehind(policy)))
    try Self.tidy(connection, schema: schema)
    return true
  }

  /// What a policy finds worth it within the memory of a build.
  func prepareMerge(choosing policy: MergePolicy, options: BuildOptions) throws -> MergePlan? {
    try prepareMerge(choosing: policy.within(options, buildMemory(threads: options.threads)))
  }

  /// `mergeOutsideTransaction` of what a policy has chosen; writers that are ahead of it wait meanwhile.
  func mergeUnasked(_ plan: MergePlan, _ policy: MergePolicy, options: BuildOptions, _ manners: MergeManners) throws {
    let path = connection.filename(schema: schema)
    let rows = (linked: plan.linkedRowCount, new: plan.newRowCount)
    try MergeBacklog.merging(path: path, index: table, rows: rows, worth: policy.deltaRows) {
      try mergeOutsideTransaction(plan, options: options, manners)
    }
  }

  /// Builds what was planned, and commits it.
  /// - Throws: as `optimizeOutsideTransaction`.
  func mergeOutsideTransaction(
    _ plan: MergePlan, options: BuildOptions, _ manners: MergeManners = MergeManners()
  ) throws {
    guard connection.isAutocommit else { throw StoreError.insideTransaction(index: table) }
    var published: [PublishedSegment] = []
    try manners.building { published = try buildMerge(plan, options: options) }
    do {
      try withPatience(options, manners) {
        try connection.transaction { try commitMerge(plan, published) }
      }
      for segment in published { segment.release() }
    } catch {
      for segment in published { segment.release() }
      // Takes the new files away if nothing names them. Should that fail too, the next sweep does; the first error is
      // what the caller needs.
      _ = try? sweep()
      throw error
    }
  }

  /// Builds everything anew: from the content table if there is one, otherwise from the live vectors.
  ///
  /// Inside the caller's transaction (SQL: 'rebuild'). With a content table no old segment is read, so it repairs an
  /// index whose files are missing or damaged; and the triggers are made anew, for the unique keys there are now, and
  /// for a table that was made anew.
  package func rebuild(options: BuildOptions = BuildOptions()) throws {
    let options = try completed(options)
    try sweepRetired()
    guard let content = try contentTable() else {
      // Without a file there is nothing but the delta, which has no structure to build.
      if folder != nil { try merge(prepareMerge(anew: true), options: options) }
      return
    }
    let image = try image(of: content, options: options)
    let wasFollowed = try ContentTable.followed(by: table, schema: schema, connection: connection) != nil
    // Unique keys may have come since the triggers were made.
    try ContentTable.dropTriggers(index: table, schema: schema, connection: connection)
    try content.createTriggers(index: table)
    let revision = try readRevision()
    try forgetSweptFiles()
    for query in [ShadowTables.Query.retireAll, .deleteAllSegments, .deleteAllTombstones, .deleteAllDelta] {
      try tables.statement(query).run()
    }
    try adopt(image, after: revision)
    // All of it is there now.
    try note(nil)
    // The columns of another table may have other types, which the virtual table takes when SQLite connects to it.
    if !wasFollowed { try connection.renewSchema(schema) }
  }

  /// Merges what a policy chooses, inside the caller's transaction (SQL: 'merge').
  package func mergeSome(_ policy: MergePolicy, options: BuildOptions = BuildOptions()) throws {
    let options = try completed(options)
    try sweepRetired()
    let plan = try prepareMerge(choosing: policy, options: options)
    // The write lock is held meanwhile, so this thread is as quick as any; others are there for searches first.
    try Parallel.considerately { try merge(plan, options: options) }
  }

  private func merge(_ plan: MergePlan?, options: BuildOptions) throws {
    guard let plan else { return }
    let published = try buildMerge(plan, options: options)
    unsettledFiles += published
    try commitMerge(plan, published)
  }

  /// Tries again while another connection holds the write lock: what took long to build is not thrown away for it.
  private func withPatience(_ options: BuildOptions, _ manners: MergeManners, _ body: () throws -> Void) throws {
    var attempts = manners.attempts
    while true {
      do {
        return try body()
      } catch let error as SQLiteError where error.isBusy && attempts > 1 && !options.isCancelled() {
        attempts -= 1
      }
      manners.pause()
    }
  }
}
