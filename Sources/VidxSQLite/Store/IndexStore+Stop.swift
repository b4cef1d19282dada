internal import CSQLite
import VidxIndexes

extension IndexStore {
  /// The parameters of a search that begins, with what ends it, unless somebody else has said what does: the end of its
  /// connection's work (`Connection.cancelling`, `Connection.interrupt`), or of the statement that it is part of.
  func stoppable(_ parameters: SearchParameters) -> SearchParameters {
    if parameters.stop != nil { return parameters }
    connection.beginSearch()
    var parameters = parameters
    parameters.stop = unsafe SearchStop(context: Unmanaged.passUnretained(self).toOpaque()) { context in
      guard let context = unsafe context else { return 0 }
      return unsafe Unmanaged<IndexStore>.fromOpaque(context).takeUnretainedValue().isStopped ? 1 : 0
    }
    return parameters
  }

  /// Asked by the thread that searches, which is that of the connection.
  private var isStopped: Bool {
    if connection.isSearchCancelled { return true }
    // Of a host's connection nobody tells whether sqlite3_interrupt was called, or what its progress handler says. A
    // statement finds out, also one inside another.
    guard connection.isBorrowed else { return false }
    do throws(SQLiteError) {
      if interruptProbe == nil { interruptProbe = try connection.prepare("SELECT 1", isPersistent: true) }
      guard let probe = interruptProbe else { return false }
      defer { probe.reset() }
      _ = try probe.step()
      return false
    } catch {
      // Without memory for it the search goes on.
      return error.isInterrupt
    }
  }
}
