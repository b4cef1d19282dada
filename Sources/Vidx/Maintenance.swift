internal import VidxIndexes
internal import VidxSQLite
internal import VidxSegments

/// How a database looks after its indexes by itself: new and deleted rows are merged into segments when enough of them
/// have come together, off the path of commits, while searches and writes go on.
///
/// Few rows are merged often and many seldom: segments are merged with those of a size like theirs, so that there are
/// O(log rows) segments, and a row is written O(log rows) times (about ten after a million inserts).
public struct Maintenance: Sendable, Equatable {
  /// Nothing is merged but by `VectorIndex.optimize`.
  public static let off = Maintenance(isOn: false, mergeAfter: nil, threads: nil)
  /// Merges as each index has it set (`merge_after`, `threads`, `memory` in SQL); else with one thread, after as many
  /// changed rows as would slow searches down.
  public static let automatic = Maintenance(isOn: true, mergeAfter: nil, threads: nil)

  /// - Parameters:
  ///   - rows: so many new rows of an index are merged; nil for what the index has set (which is looked at after 250
  ///     changes or more), or else as many as are 4 MiB of vectors, at least 1,000.
  ///   - threads: to build with, at least 1; nil for what the index has set, or else one.
  public static func automatic(mergeAfter rows: Int?, threads: Int? = nil) -> Maintenance {
    Maintenance(isOn: true, mergeAfter: rows.map { max($0, 1) }, threads: threads.map { max($0, 1) })
  }

  let isOn: Bool
  let mergeAfter: Int?
  let threads: Int?
}

/// What maintenance has done since the database was opened.
public struct MaintenanceReport: Sendable, Equatable {
  /// Merges that were committed.
  public internal(set) var merges = 0
  /// Why the last one failed; nil when it did not. It is tried again after the next write.
  public internal(set) var lastError: VidxError?
  /// Why files that a merge has replaced could not be removed; nil when they were. Tried again after the next merge.
  public internal(set) var lastSweepError: VidxError?

  public static func == (one: MaintenanceReport, other: MaintenanceReport) -> Bool {
    one.merges == other.merges && one.lastError?.message == other.lastError?.message
      && one.lastSweepError?.message == other.lastSweepError?.message
  }
}

/// Whether maintenance is due or under way. Sendable.
final class MaintenanceState: Sendable {
  private struct State {
    var isRunning = false
    /// Rows changed since the indexes were last looked at; from the start as many as it takes.
    var changes = Int64.max
    var isClosed = false
    /// Removes replaced files when their readers are gone.
    var sweeper: Task<Void, Never>?
    var wantsSweep = false
    var report = MaintenanceReport()
  }

  private let state = Locked(State())
  /// Changes after which it is worth looking whether there is something to merge.
  private let threshold: Int64
  let cancellation = Cancellation()

  init(_ maintenance: Maintenance) { threshold = max(Int64(maintenance.mergeAfter ?? 1_000) / 4, 1) }

  var report: MaintenanceReport { state.withLock { $0.report } }

  /// Notes that rows were changed.
  /// - Returns: whether the caller has to start the work.
  func request(_ changes: Int64) -> Bool {
    state.withLock { state in
      state.changes = state.changes.addingReportingOverflow(changes).overflow ? .max : state.changes + changes
      if state.changes < threshold || state.isRunning || state.isClosed { return false }
      state.isRunning = true
      return true
    }
  }

  /// - Returns: whether enough has changed since the last turn; when not, the work has ended.
  func nextTurn() -> Bool {
    state.withLock { state in
      guard state.changes >= threshold, !state.isClosed else {
        state.isRunning = false
        return false
      }
      state.changes = 0
      return true
    }
  }

  /// Notes what a turn did. After an error the next write has it tried again, also one that came during the turn.
  /// - Returns: whether to go on.
  func note(merges: Int, error: VidxError?) -> Bool {
    state.withLock { state in
      state.report.merges += merges
      state.report.lastError = error
      guard error != nil else { return true }
      state.isRunning = state.changes > 0
      state.changes = .max
      return state.isRunning
    }
  }

  /// Has replaced files swept until none waits for a reader of an older state: at first after 20 ms, in the end every
  /// minute, for which later calls wait as well.
  /// - Parameter sweep: returns whether files are left.
  func sweepLater(_ sweep: @escaping @Sendable () async throws(VidxError) -> Bool) {
    state.withLock { state in
      state.wantsSweep = true
      guard state.sweeper == nil, !state.isClosed else { return }
      state.sweeper = Task.detached(priority: .utility) { [weak self] in
        var pause = Duration.milliseconds(20)
        // Sleeping throws when the database is closed.
        while (try? await Task.sleep(for: pause)) != nil, let self, self.beginsSweep() {
          do throws(VidxError) {
            let isLeft = try await sweep()
            self.noteSweep(isLeft: isLeft, error: nil)
          } catch { self.noteSweep(isLeft: error.code == .busy, error: error) }
          pause = min(pause * 2, .seconds(60))
        }
      }
    }
  }

  /// - Returns: whether there is something to sweep; when not, the work has ended.
  private func beginsSweep() -> Bool {
    state.withLock { state in
      if !state.wantsSweep { state.sweeper = nil }
      defer { state.wantsSweep = false }
      return state.wantsSweep
    }
  }

  private func noteSweep(isLeft: Bool, error: VidxError?) {
    state.withLock { state in
      state.wantsSweep = state.wantsSweep || isLeft
      state.report.lastSweepError = error
    }
  }

  func close() {
    let sweeper = state.withLock { state in
      state.isClosed = true
      return state.sweeper
    }
    sweeper?.cancel()
    cancellation.request()
  }
}

extension Session {
  /// Merges what the policy chooses in each index; one that cannot be merged does not keep others from it.
  /// - Returns: how many indexes there was something to merge in, and the first error.
  func maintain(
    _ maintenance: Maintenance, isCancelled: @escaping @Sendable () -> Bool
  ) throws(VidxError) -> (merges: Int, error: VidxError?) {
    var merges = 0
    var first: VidxError?
    for name in try indexNames() {
      do throws(VidxError) {
        if try maintain(name, maintenance, isCancelled: isCancelled) { merges += 1 }
      } catch {
        // An index that is gone by now needs nothing.
        if error.code != .noSuchIndex { first = first ?? error }
      }
    }
    return (merges, first)
  }

  private func maintain(
    _ name: String, _ maintenance: Maintenance, isCancelled: @escaping @Sendable () -> Bool
  ) throws(VidxError) -> Bool {
    let store = try store(name)
    return try wrappingErrors {
      let threads = try maintenance.threads ?? store.maintenanceSettings().threads ?? 1
      return try store.maintain(
        store.mergePolicy(mergeAfter: maintenance.mergeAfter),
        options: BuildOptions(threads: threads, isCancelled: isCancelled))
    }
  }
}
