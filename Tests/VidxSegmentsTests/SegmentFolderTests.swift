import Foundation
import Testing

@testable import VidxSegments

@Suite("SegmentFolder")
struct SegmentFolderTests {
  let directory: TemporaryDirectory
  let folder: SegmentFolder

  init() throws {
    directory = try TemporaryDirectory()
    folder = directory.folder
  }

  private func publish(_ fileName: String, in folder: SegmentFolder) throws -> PublishedSegment {
    var sample = SampleSegment.tiny
    sample.fileName = fileName
    return try sample.publish(in: folder.path)
  }

  // MARK: Names

  static let identifier = SegmentIdentifier(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)
  static let identifierText = "00010203-0405-0607-0809-0a0b0c0d0e0f"

  @Test(
    "File names show the index and never leave the folder",
    arguments: [
      ("messages", "messages"), ("a_B9", "a_B9"), ("", ""), ("../../etc/passwd", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd"),
      (".", "%2E"), ("a-b", "a%2Db"), ("50%", "50%25"), ("naïve", "na%C3%AFve"), ("a\0b\n", "a%00b%0A"),
      (String(repeating: "x", count: 500), String(repeating: "x", count: 128)),
      // Never cut within an escape: 42 x 3 bytes.
      (String(repeating: "/", count: 100), String(repeating: "%2F", count: 42)),
    ])
  func fileNames(index: String, prefix: String) throws {
    let name = SegmentFolder.fileName(index: index, identifier: Self.identifier)
    #expect(name == "\(prefix)-\(Self.identifierText).seg")
    #expect(try folder.path(ofFile: name) == directory.path + "/app.db-vidx/" + name)
    #expect((name + SegmentFolder.temporarySuffix).utf8.count <= 255)
  }

  @Test("Identifiers are random")
  func identifiers() {
    #expect(Set((0..<1000).map { _ in SegmentIdentifier.random() }).count == 1000)
  }

  @Test(
    "Names that the folder cannot have given are refused",
    arguments: [
      "", ".", "..", ".seg", "../a-1.seg", "/etc/passwd", "a/b-1.seg", "a-1.seg/..", "a-1.seg\0", "a\0-1.seg",
      "a-1.tmp",
      "a-1.seg.tmp", "a 1.seg", "a-1.SEG", "ä-1.seg", "a-1.seg\u{301}", "a\n.seg",
    ])
  func hostileNames(name: String) {
    #expect(throws: SegmentError.invalidFileName(name: name)) { try folder.path(ofFile: name) }
    #expect(throws: SegmentError.invalidFileName(name: name)) { try folder.remove(name) }
    #expect(throws: SegmentError.invalidFileName(name: name)) {
      _ = try SegmentWriter(directory: folder.path, fileName: name, description: SampleSegment.tiny.description)
    }
  }

  // MARK: Permissions

  @Test(
    "Folder and files have the permissions of the database",
    arguments: [(0o600, 0o700, 0o600), (0o640, 0o750, 0o640), (0o644, 0o755, 0o644), (0o666, 0o777, 0o666)]
      as [(UInt32, UInt32, UInt32)])
  func permissions(database: UInt32, expected: UInt32, file: UInt32) throws {
    try directory.write([], to: directory.path + "/app.db")
    try FileManager.default.setAttributes(
      [.posixPermissions: Int(database)], ofItemAtPath: directory.path + "/app.db")
    let published = try publish("a-1.seg", in: folder)
    #expect(try directory.permissions(of: folder.path) == expected)
    #expect(try directory.permissions(of: published.path) == file)
  }

  @Test("The folder is never more open than the database, not even while it is being made")
  func permissionsAtBirth() throws {
    try directory.write([], to: directory.path + "/app.db")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: directory.path + "/app.db")
    let seen = Locked<[UInt32]>([])
    let path = folder.path
    let fileSystem = FaultyFileSystem(before: { _ in
      if let status = try? POSIXFileSystem().status(ofPath: path) { seen.withLock { $0.append(status.permissions) } }
    })
    try SegmentFolder(path: path, fileSystem: fileSystem).create()
    #expect(!seen.withLock { $0.isEmpty } && seen.withLock { $0.allSatisfy { $0 & 0o077 == 0 } })
  }

  @Test("The database file itself is never opened")
  func databaseUntouched() throws {
    try directory.write([], to: directory.path + "/app.db")
    let fileSystem = FaultyFileSystem()
    _ = try SampleSegment.tiny.publish(in: folder.path, fileSystem: fileSystem)
    #expect(fileSystem.calls.filter { $0.name == "app.db" } == [.init(.status, "app.db")])
  }

  @Test("A folder that is there already keeps its permissions")
  func existing() throws {
    try directory.write([], to: directory.path + "/app.db")
    try FileManager.default.createDirectory(
      atPath: folder.path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o711])
    try folder.create()
    #expect(try directory.permissions(of: folder.path) == 0o711)
  }

  @Test("New files are no more open than the database has become")
  func narrowedPermissions() throws {
    try directory.write([], to: directory.path + "/app.db")
    func close(_ permissions: Int) throws {
      try FileManager.default.setAttributes(
        [.posixPermissions: permissions], ofItemAtPath: directory.path + "/app.db")
    }
    try close(0o644)
    #expect(try directory.permissions(of: publish("a-1.seg", in: folder).path) == 0o644)
    try close(0o600)
    #expect(try directory.permissions(of: publish("a-2.seg", in: folder).path) == 0o600)
    try close(0o666)
    #expect(try directory.permissions(of: publish("a-3.seg", in: folder).path) == 0o644)
  }

  @Test("A link in a segment's place is not followed, a FIFO not waited for")
  func links() throws {
    let published = try publish("a-1.seg", in: folder)
    let link = folder.path + "/b-2.seg"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: published.path)
    #expect(throws: SegmentError.notASegment(path: link)) { try SegmentFile(path: link) }
    try FileManager.default.removeItem(atPath: link)
    try #require(unsafe mkfifo(link, 0o600) == 0)
    #expect(throws: SegmentError.notASegment(path: link)) { try SegmentFile(path: link) }
  }

  @Test("Without the directory of the database there can be no folder")
  func noParent() {
    let path = directory.path + "/none/app.db"
    #expect(throws: SegmentError.io(operation: .makeDirectory, code: ENOENT, path: path + "-vidx")) {
      try SegmentFolder(databasePath: path).create()
    }
  }

  // MARK: Listing and removing

  @Test("Listing shows segments and temporary files, and nothing that is not ours")
  func list() throws {
    #expect(try folder.list() == [])
    try folder.create()
    for name in ["b-2.seg", "a-1.seg", "c-3.seg.tmp", "notes.txt", "copy of a-1.seg", ".seg", "x.tmp", "y.seg.bak"] {
      try directory.write([1], to: folder.path + "/" + name)
    }
    #expect(try folder.list() == ["a-1.seg", "b-2.seg", "c-3.seg.tmp"])
  }

  @Test("Removing a segment that is gone is no error")
  func remove() throws {
    _ = try publish("a-1.seg", in: folder)
    try folder.remove("a-1.seg")
    try folder.remove("a-1.seg")
    #expect(try folder.list() == [])
  }
}
