import Foundation
import Testing

/// `vidx_search` takes nothing from the heap, once searches like it have been made: counted in a program in C that has
/// the counting allocator of Tests/CAllocationCounter linked into it.
@Suite(.needsAPlainLibrary) struct AllocationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static let program = """
    #include <CAllocationCounter.h>
    #include <stdio.h>
    #include <string.h>
    #include <vidx.h>

    enum { rows = 3000, dimensions = 32, queries = 50, k = 10 };

    static float vectors[rows * dimensions];

    static int fail(char *error) { return printf("%s\\n", error); }

    /* The allocations of the second round of queries; those go to all rows, or to the even ones. */
    static int measure(const char *name, const char *type, const char *codec, unsigned flags, int filtered) {
      const char *const options[] = {type, codec, "model='one of long name, 1.0'",
                                     strstr(type, "ivf") ? "lists=70" : NULL, NULL};
      char *error = NULL;
      vidx_index *index = NULL;
      vidx_search_settings settings = {0};
      vidx_search_report report;
      const vidx_value even = {.type = VIDX_INTEGER, .integer = 0};
      size_t before = vidx_test_allocations(), found = 0, all = 0;
      if (vidx_build("a.db", name, vectors, rows, dimensions, NULL, options, 1, NULL, NULL, &error)) return fail(error);
      if (vidx_test_allocations() == before) return printf("nothing is counted\\n");
      if (vidx_open("a.db", name, flags, &index, &error)) return fail(error);
      settings.model = "one of long name, 1.0";
      if (filtered) {
        vidx_filter *filter;
        if (vidx_filter_where(index, "rowid % 2 = ?", &even, 1, &filter, &error)) return fail(error);
        settings.filter = filter;
      }
      for (int round = 0; round < 2; round++) {
        before = vidx_test_allocations();
        for (int i = 0; i < queries; i++) {
          int64_t ids[k];
          float distances[k];
          if (vidx_search(index, vectors + i * 7 * dimensions, dimensions, k, &settings, ids, distances, &found,
                          &error))
            return fail(error);
          vidx_last_search(&report);
          if (report.rows_yielded != (filtered ? rows / 2 : 0) || report.filter_cached != (filtered && all > 0))
            return printf("%zu rows yielded\\n", (size_t)report.rows_yielded);
          for (size_t j = 0; j < found; j++)
            if (filtered && ids[j] % 2) return printf("row %lld passed\\n", (long long)ids[j]);
          all += found;
        }
      }
      size_t count = vidx_test_allocations() - before;
      vidx_filter_free((vidx_filter *)settings.filter);
      vidx_close(index);
      if (count || all != 2 * queries * k)
        printf("%s %s, flags %u, filter %d: %zu allocations, %zu rows\\n", type, codec, flags, filtered, count, all);
      return 0;
    }

    int main(void) {
      static const char *const types[] = {"index=hnsw", "index=ivfflat", "index=flat"};
      static const char *const codecs[] = {"codec=f32", "codec=int8", "codec=rabitq"};
      unsigned state = 1;
      for (int i = 0; i < rows * dimensions; i++) {
        state = state * 1664525u + 1013904223u;
        vectors[i] = (float)(state >> 8) / (1 << 24) - 0.5f;
      }
      for (int i = 0; i < 36; i++) {
        char name[8];
        snprintf(name, sizeof name, "v%d", i);
        if (measure(name, types[i % 3], codecs[i / 3 % 3], i % 18 < 9 ? 0 : VIDX_SNAPSHOT, i >= 18)) return 1;
      }
      return puts("done") < 0;
    }
    """

  @Test func aSearchAllocatesNothing() throws {
    #if os(Linux)
      let library = try InstalledExtension()
      let source = library.folder.appendingPathComponent("allocations.c")
      try Data(Self.program.utf8).write(to: source)
      let counter = Self.root.appendingPathComponent("Tests/CAllocationCounter")
      let compiled = try HostProgram.run(
        "/usr/bin/cc",
        [
          "-O1", "-fno-builtin", "-I\(counter.appendingPathComponent("include").path)",
          "-I\(Self.root.appendingPathComponent("Sources/CVidxExtension/include").path)", source.path,
          counter.appendingPathComponent("CAllocationCounter.c").path, library.file.path,
          "-Wl,-rpath,\(library.folder.path)", "-o", "allocations",
        ], in: library.folder)
      try #require(compiled.status == 0, "\(compiled.errors)")
      let outcome = try HostProgram.run(library.folder.appendingPathComponent("allocations").path, in: library.folder)
      #expect(outcome.output == "done\n" && outcome.status == 0, "\(outcome)")
    #endif
  }
}
