import Foundation
import Testing

/// The Python package, installed by pip from the checkout: its own tests, and the examples of its page.
@Suite(.needsAPlainLibrary) struct PythonPackageTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test func installsAndPassesItsTests() throws {
    let library = try InstalledExtension()
    let packages = try Self.install(library)
    let outcome = try Self.python(
      ["-m", "unittest", "discover", "-s", Self.path("python/tests")], packages, in: library.folder)
    #expect(outcome.status == 0 && outcome.errors.hasSuffix("\nOK\n"), "\(outcome.errors)")
    let count = outcome.errors.firstMatch(of: /Ran (\d+) tests/).flatMap { Int($0.1) }
    #expect(count ?? 0 > 15, "\(outcome.errors)")

    for page in ["docs/PYTHON.md", "README.md"] {
      let text = try String(contentsOfFile: Self.path(page), encoding: .utf8)
      let blocks = text.matches(of: /```python\n(?<code>.*?)```/.dotMatchesNewlines()).map { String($0.code) }
      #expect(!blocks.isEmpty, "\(page)")
      let folder = library.folder.appendingPathComponent("\(page)-examples")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      // One after the other, as a reader would type them.
      let example = try Self.python(["-"], packages, input: blocks.joined(separator: "\n"), in: folder)
      #expect(example.status == 0, "\(page): \(example.errors)")
      #expect(!example.output.isEmpty, "\(page)")
    }
  }

  /// The header alone is enough for a program in C, also a pedantic one.
  @Test func aProgramInCCallsTheLibrary() throws {
    let library = try InstalledExtension()
    let program = """
      #include <stdio.h>
      #include <vidx.h>

      int main(void) {
        const float vectors[] = {1, 0, 0, 1, 0.6f, 0.8f};
        const char *const options[] = {"metric=l2", "index=flat", "model='m 1'", NULL};
        const float query[] = {0.5f, 1};
        char *error = NULL, *json = NULL;
        vidx_index *index = NULL;
        vidx_search_settings settings = {0};
        int64_t ids[4];
        float distances[4];
        size_t found = 0;
        if (vidx_abi() != VIDX_ABI) return puts("another library");
        if (vidx_build("c.db", "points", vectors, 3, 2, NULL, options, 1, NULL, NULL, &error)) return puts(error);
        if (vidx_open("c.db", "points", VIDX_SNAPSHOT, &index, &error)) return puts(error);
        if (vidx_search(index, query, 2, 4, NULL, ids, distances, &found, &error)) return puts(error);
        for (size_t i = 0; i < found; i++) printf("%d ", (int)ids[i]);
        printf("%d", vidx_search(index, query, 3, 4, NULL, ids, distances, &found, &error) == VIDX_BAD_VECTOR);
        vidx_free(error);
        settings.model = "m 1";
        printf(" %d", vidx_search(index, query, 2, 4, &settings, ids, distances, &found, NULL) == VIDX_OK);
        settings.model = "m 2";
        printf(" %d", vidx_search(index, query, 2, 4, &settings, ids, distances, &found, NULL) == VIDX_WRONG_MODEL);
        if (vidx_info(index, &json, NULL)) return 1;
        printf(" %d %s\\n", (int)vidx_dimensions(index), json);
        vidx_free(json);
        vidx_close(index);
        return 0;
      }
      """
    let source = library.folder.appendingPathComponent("program.c")
    try Data(program.utf8).write(to: source)
    let include = Self.path("Sources/CVidxExtension/include")
    for standard in ["c99", "c17"] {
      let compiled = try HostProgram.run(
        "/usr/bin/cc",
        [
          "-std=\(standard)", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I\(include)", source.path,
          library.file.path, "-Wl,-rpath,\(library.folder.path)", "-o", "program-\(standard)",
        ], in: library.folder)
      #expect(compiled.status == 0, "\(compiled.errors)")
    }
    let outcome = try HostProgram.run(library.folder.appendingPathComponent("program-c99").path, in: library.folder)
    #expect(outcome.output.hasPrefix("2 1 0 1 1 1 2 {\"name\": \"points\", \"path\": \"c.db\""), "\(outcome)")
    #expect(outcome.output.contains("\"model\": \"m 1\""))
    #expect(outcome.status == 0)
  }

  /// - Returns: the folder with the package in it.
  private static func install(_ library: InstalledExtension) throws -> URL {
    let packages = library.folder.appendingPathComponent("packages")
    // Without isolation nothing is fetched; a copy, so that nothing is left in the checkout.
    let copy = library.folder.appendingPathComponent("checkout")
    for folder in ["python", "Sources/CVidxExtension/include"] {
      let place = copy.appendingPathComponent(folder)
      try FileManager.default.createDirectory(
        at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: root.appendingPathComponent(folder), to: place)
    }
    // What somebody's own pip has left there may be older than the sources, and seem newer as a copy.
    let leftOver = copy.appendingPathComponent("python/build")
    if FileManager.default.fileExists(atPath: leftOver.path) { try FileManager.default.removeItem(at: leftOver) }
    let outcome = try HostProgram.run(
      "/usr/bin/env",
      [
        "VIDX_LIBRARY=\(library.file.path)", HostProgram.python, "-m", "pip", "install", "--quiet", "--no-input",
        "--no-build-isolation", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
        "--root-user-action=ignore", "--target", packages.path, copy.appendingPathComponent("python").path,
      ], in: library.folder)
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    return packages
  }

  private static func python(_ arguments: [String], _ packages: URL, input: String = "", in folder: URL) throws
    -> ProgramOutcome
  {
    try HostProgram.run(
      "/usr/bin/env", ["PYTHONPATH=\(packages.path)", HostProgram.python] + arguments, input: input, in: folder)
  }

  private static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }
}
