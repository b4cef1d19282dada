import Foundation

@testable import VidxSegments

/// The system's calls, recorded, and one or more of them broken on request.
final class FaultyFileSystem: FileSystem, @unchecked Sendable {
  /// One call: what, and of which file (last component; nil for calls on a descriptor).
  struct Call: Equatable, CustomStringConvertible {
    var operation: FileOperation
    var name: String?

    init(_ operation: FileOperation, _ name: String? = nil) {
      self.operation = operation
      self.name = name
    }

    var description: String { name.map { "\(operation) \($0)" } ?? "\(operation)" }
  }

  enum Fault: Equatable, CustomStringConvertible {
    /// Fails this one call.
    case once(Int32)
    /// Fails this call and all later ones that would take space: the disk stays full.
    case spaceFromHere
    /// A write does this many bytes at most; other calls are as ever.
    case shortWrites(Int)

    var description: String {
      switch self {
      case .once(let code): "errno \(code)"
      case .spaceFromHere: "disk full from here"
      case .shortWrites(let count): "writes of \(count)"
      }
    }
  }

  private struct State {
    var calls: [Call] = []
    var names: [Int32: String] = [:]
    var hasFired = false
  }

  private let system = POSIXFileSystem()
  private let state = Locked(State())
  private let fault: Fault?
  private let isBroken: @Sendable (_ index: Int, Call) -> Bool
  /// Runs before each call, to let others act between two of ours.
  private let before: @Sendable (Call) -> Void

  init(
    fault: Fault? = nil, before: @escaping @Sendable (Call) -> Void = { _ in },
    when isBroken: @escaping @Sendable (_ index: Int, Call) -> Bool = { _, _ in true }
  ) {
    self.fault = fault
    self.before = before
    self.isBroken = isBroken
  }

  /// Breaks the call with this number, counted from 0.
  convenience init(fault: Fault, at index: Int) { self.init(fault: fault, when: { current, _ in current == index }) }

  var calls: [Call] { state.withLock { $0.calls } }
  var hasFired: Bool { state.withLock { $0.hasFired } }
  /// Descriptors opened and not closed.
  var openNames: [String] { state.withLock { $0.names.values.sorted() } }

  private func note(_ operation: FileOperation, _ path: String?) throws(SystemCallError) {
    let call = Call(operation, path.map { ($0 as NSString).lastPathComponent })
    before(call)
    let code: Int32? = state.withLock { state in
      let index = state.calls.count
      state.calls.append(call)
      switch fault {
      case .once(let code) where !state.hasFired && isBroken(index, call):
        state.hasFired = true
        return code
      case .spaceFromHere where state.hasFired || isBroken(index, call):
        state.hasFired = true
        return [.create, .write, .synchronize, .rename, .makeDirectory].contains(operation) ? ENOSPC : nil
      default:
        return nil
      }
    }
    if let code { throw SystemCallError(code: code) }
  }

  private func note(_ operation: FileOperation, of file: Int32) throws(SystemCallError) {
    try note(operation, state.withLock { $0.names[file] })
  }

  func open(_ path: String, for access: FileAccess) throws(SystemCallError) -> Int32 {
    if case .creating = access { try note(.create, path) } else { try note(.open, path) }
    let file = try system.open(path, for: access)
    state.withLock { $0.names[file] = (path as NSString).lastPathComponent }
    return file
  }

  func close(_ file: Int32) {
    // Forgotten first: once closed, the number can belong to another thread's file.
    state.withLock { _ = $0.names.removeValue(forKey: file) }
    system.close(file)
  }

  func status(of file: Int32) throws(SystemCallError) -> FileStatus {
    try note(.status, of: file)
    return try system.status(of: file)
  }

  func status(ofPath path: String) throws(SystemCallError) -> FileStatus {
    try note(.status, path)
    return try system.status(ofPath: path)
  }

  func setPermissions(of file: Int32, to permissions: UInt32) throws(SystemCallError) {
    try note(.setPermissions, of: file)
    try system.setPermissions(of: file, to: permissions)
  }

  func setOwner(of file: Int32, to owner: UInt32, group: UInt32) throws(SystemCallError) {
    try note(.setOwner, of: file)
    try system.setOwner(of: file, to: owner, group: group)
  }

  func read(
    _ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemCallError) -> Int {
    try note(.read, of: file)
    return try unsafe system.read(file, into: buffer, at: offset)
  }

  func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemCallError) -> Int {
    try note(.write, of: file)
    guard case .shortWrites(let count) = fault else { return try unsafe system.write(file, bytes, at: offset) }
    return try unsafe system.write(file, UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), at: offset)
  }

  func synchronize(_ file: Int32) throws(SystemCallError) {
    try note(.synchronize, of: file)
    try system.synchronize(file)
  }

  func rename(_ source: String, to target: String) throws(SystemCallError) {
    try note(.rename, source)
    try system.rename(source, to: target)
  }

  func link(_ path: String, as name: String) throws(SystemCallError) {
    try note(.link, path)
    try system.link(path, as: name)
  }

  func removeDirectory(_ path: String) throws(SystemCallError) {
    try note(.remove, path)
    try system.removeDirectory(path)
  }

  func remove(_ path: String) throws(SystemCallError) {
    try note(.remove, path)
    try system.remove(path)
  }

  func makeDirectory(_ path: String, permissions: UInt32) throws(SystemCallError) {
    try note(.makeDirectory, path)
    try system.makeDirectory(path, permissions: permissions)
  }

  func list(_ path: String) throws(SystemCallError) -> [String] {
    try note(.list, path)
    return try system.list(path)
  }

  func lock(_ file: Int32, waiting: Bool) throws(SystemCallError) -> Bool {
    try note(.lock, of: file)
    return try system.lock(file, waiting: waiting)
  }

  func map(_ file: Int32, byteCount: Int) throws(SystemCallError) -> UnsafeRawBufferPointer {
    try note(.map, of: file)
    return try unsafe system.map(file, byteCount: byteCount)
  }

  func unmap(_ bytes: UnsafeRawBufferPointer) { unsafe system.unmap(bytes) }
  func advise(_ bytes: UnsafeRawBufferPointer, _ advice: MemoryAdvice) { unsafe system.advise(bytes, advice) }
}
