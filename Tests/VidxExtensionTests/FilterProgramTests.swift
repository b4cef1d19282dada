import Foundation
import Testing

/// Filters, distances, pages and the end of a condition through vidx.h, in a program in C.
@Suite(.needsAPlainLibrary) struct FilterProgramTests {
  private static let program = """
    #include <math.h>
    #include <stdio.h>
    #include <vidx.h>

    enum { rows = 40, k = 5 };

    static vidx_index *indexes[2];
    static int looks;

    static int look(void *context) { return ++looks > *(int *)context; }

    static int fail(char *error) { return printf("%s\\n", error) < 0 ? 2 : 1; }

    static void print(const int64_t *ids, size_t found) {
      for (size_t i = 0; i < found; i++) printf("%d ", (int)ids[i]);
    }

    static int ask(vidx_index *index) {
      const int64_t wanted[] = {21, 3, 17, 13, 999};
      const vidx_value label = {.type = VIDX_INTEGER, .integer = 1}, least = {.type = VIDX_INTEGER, .integer = 10};
      const vidx_condition condition = {.column = "LABEL", .test = VIDX_IN, .values = &label, .count = 1};
      const float query[] = {0, 0};
      const char *endless = "rowid IN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c)";
      vidx_filter *parts[3] = {0}, *all = NULL, *running = NULL;
      vidx_search_settings settings = {0};
      vidx_search_report report;
      char *error = NULL;
      int64_t ids[2 * k];
      float distances[2 * k];
      size_t found = 0;
      if (vidx_filter_columns(index, &condition, 1, &parts[0], &error)) return fail(error);
      if (vidx_filter_where(index, "rowid >= ?", &least, 1, &parts[1], &error)) return fail(error);
      if (vidx_filter_ids(index, wanted, 5, &parts[2], &error)) return fail(error);
      if (vidx_filter_all(index, (const vidx_filter *const *)parts, 3, &all, &error)) return fail(error);
      for (int i = 0; i < 3; i++) vidx_filter_free(parts[i]);
      settings.filter = all;
      for (int i = 0; i < 2; i++) {
        if (vidx_search(index, query, 2, k, &settings, ids, distances, &found, &error)) return fail(error);
        print(ids, found);
      }
      vidx_last_search(&report);
      printf("%d%d; ", report.filter_cached, report.rows_without_vector == VIDX_UNKNOWN);

      const double within = 17;
      settings.within = &within;
      if (vidx_search(index, query, 2, k, &settings, ids, distances, &found, &error)) return fail(error);
      print(ids, found);
      if (vidx_search_batch(index, query, 1, 2, k, &settings, 1, ids, distances, &error)) return fail(error);
      print(ids, 3);
      settings.within = NULL;

      vidx_cursor after = {-INFINITY, 0};
      settings.after = &after;
      for (int page = 0; page < 3; page++) {
        if (vidx_search(index, query, 2, 2, &settings, ids, distances, &found, &error)) return fail(error);
        printf("| ");
        print(ids, found);
        if (found > 0) after = (vidx_cursor){distances[found - 1], ids[found - 1]};
      }
      after.distance = NAN;
      printf("%d ", vidx_search(index, query, 2, 2, &settings, ids, distances, &found, NULL));

      int most = 7;
      if (vidx_filter_where(index, endless, NULL, 0, &running, &error)) return fail(error);
      settings = (vidx_search_settings){.filter = running, .cancel = look, .cancel_context = &most};
      looks = 0;
      printf("%d ", vidx_search(index, query, 2, k, &settings, ids, distances, &found, NULL));
      printf("%d ", looks);
      looks = 0;
      printf("%d ", vidx_search_batch(index, query, 1, 2, k, &settings, 1, ids, distances, NULL));
      vidx_filter *const nothing[] = {NULL};
      parts[0] = NULL;
      printf("%d ", vidx_filter_all(index, (const vidx_filter *const *)nothing, 1, &parts[0], NULL));
      most = looks = 0;
      settings = (vidx_search_settings){.cancel = look, .cancel_context = &most};
      printf("%d ", vidx_search_batch(index, query, 1, 2, k, &settings, 1, ids, distances, NULL));
      printf("%d ", looks);
      // More floats than there are: refused before any is read.
      settings = (vidx_search_settings){.filter = running};
      printf("%d ", vidx_search(index, query, (size_t)1 << 59, k, &settings, ids, distances, &found, NULL));
      settings = (vidx_search_settings){.filter = all};
      if (vidx_search(index, query, 2, k, &settings, ids, distances, &found, &error)) return fail(error);
      printf("%d\\n", (int)found);
      vidx_filter_free(all);
      vidx_filter_free(running);
      return 0;
    }

    int main(void) {
      static float vectors[rows * 2];
      static int64_t labels[rows];
      const char *const options[] = {"metric=l2", "index=flat", NULL};
      char *error = NULL;
      for (int i = 0; i < rows; i++) {
        vectors[2 * i] = (float)i;
        labels[i] = i % 4;
      }
      const vidx_column column = {.name = "label", .integers = labels};
      if (vidx_build_filtered("c.db", "points", vectors, rows, 2, NULL, options, &column, 1, 1, NULL, NULL, &error))
        return fail(error);
      for (unsigned i = 0; i < 2; i++) {
        if (vidx_open("c.db", "points", i ? VIDX_SNAPSHOT : 0, &indexes[i], &error)) return fail(error);
        if (ask(indexes[i])) return 1;
        vidx_close(indexes[i]);
      }
      return 0;
    }
    """

  @Test func combinesPagesAndCancels() throws {
    let library = try InstalledExtension()
    let source = library.folder.appendingPathComponent("filters.c")
    try Data(Self.program.utf8).write(to: source)
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let compiled = try HostProgram.run(
      "/usr/bin/cc",
      [
        "-Wall", "-Wextra", "-Werror", "-I\(root.appendingPathComponent("Sources/CVidxExtension/include").path)",
        source.path, library.file.path, "-Wl,-rpath,\(library.folder.path)", "-lm", "-o", "filters",
      ], in: library.folder)
    try #require(compiled.status == 0, "\(compiled.errors)")
    let outcome = try HostProgram.run(library.folder.appendingPathComponent("filters").path, in: library.folder)
    // Twice the rows; then, with codes: NaN refused, cancelled at the eighth look, cancelled, NULL refused, cancelled
    // at the first look, bad vector.
    let line = "13 17 21 13 17 21 11; 13 17 13 17 -1 | 13 17 | 21 | 6 10 8 10 6 10 1 5 3\n"
    #expect(outcome.output == line + line, "\(outcome)")
    #expect(outcome.status == 0)
  }
}
