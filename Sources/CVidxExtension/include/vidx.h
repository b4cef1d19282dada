/* vidx.h: the C interface of libvidx.
 *
 * An index lives in an SQLite database file (`app.db`, its vectors in `app.db-vidx/`). These functions build one from
 * an array of vectors and search it; everything else (inserting, deleting, filtering by SQL) is done through SQLite,
 * with the same library loaded as an extension.
 *
 *     char *error = NULL;
 *     vidx_index *index;
 *     if (vidx_open("app.db", "vectors", 0, &index, &error) != VIDX_OK) { puts(error); vidx_free(error); return 1; }
 *     int64_t ids[10];
 *     float distances[10];
 *     size_t found;
 *     vidx_search(index, query, dimensions, 10, NULL, ids, distances, &found, NULL);
 *     vidx_close(index);
 *
 * Functions that can fail return VIDX_OK or another code below. When `error` is not NULL, `*error` is then set to a
 * message that says what to do (UTF-8, to be freed by vidx_free); it is left alone on success.
 *
 * An index may be searched by many threads at once. It must not be used in a child after fork().
 *
 * The library uses the libsqlite3 that the process has loaded, or loads the system's. A program that has SQLite linked
 * into itself would then have two: they do not see each other's locks, so it must not open the same database with its
 * own copy while an index of it is open here. */
#ifndef VIDX_H
#define VIDX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  VIDX_OK = 0,
  VIDX_ERROR = 1,        /* anything that has no code of its own */
  VIDX_CANNOT_OPEN = 2,  /* no such file, or no permission */
  VIDX_NO_INDEX = 3,     /* the database has no index of this name */
  VIDX_EXISTS = 4,       /* the name is taken */
  VIDX_BAD_VECTOR = 5,   /* wrong dimensions, NaN or infinity, zero where a direction is needed */
  VIDX_BAD_ARGUMENT = 6, /* an option or a number that is none or out of range */
  VIDX_BUSY = 7,         /* another process keeps the lock */
  VIDX_CORRUPT = 8,      /* a file is missing or damaged, or is no SQLite database */
  VIDX_STORAGE = 9,      /* disk full, read-only, input or output error */
  VIDX_CANCELLED = 10,
};

/* The version of the library, for example "0.1.0". */
const char *vidx_version(void);

/* Frees what a function of this library has allocated: messages, texts. NULL is allowed. */
void vidx_free(void *memory);

/* ---- Building ---- */

/* How far a build is: `done` of `total` units of a stage ("reading", "clustering", "linking", "writing"). Called from
 * any of the build's threads, often and also from several at once. Anything but 0 cancels the build. */
typedef int (*vidx_progress)(void *context, const char *stage, size_t done, size_t total);

/* Makes an index of vectors in a database file, which is made when there is none, in one transaction.
 *
 *   vectors   count x dimensions floats, row-major
 *   ids       one row id a vector, distinct; NULL numbers them 0 ..< count
 *   options   "name=value" as in CREATE VIRTUAL TABLE ... USING vidx(...): metric, index, m, ef_construction, lists,
 *             codec, seed; NULL-terminated, or NULL
 *   threads   0 for as many as there are processors; the outcome is the same for the same seed with one thread
 *   progress  NULL for none */
int vidx_build(const char *path, const char *name, const float *vectors, size_t count, size_t dimensions,
               const int64_t *ids, const char *const *options, size_t threads, vidx_progress progress, void *context,
               char **error);

/* ---- Searching ---- */

typedef struct vidx_index vidx_index;

enum {
  /* Searches see the state at the time of opening, until vidx_refresh: nothing of the database is asked for. Without
   * it each search sees what is committed when it begins. */
  VIDX_SNAPSHOT = 1,
};

/* Opens an index of a database file. `*index` is to be given to vidx_close. */
int vidx_open(const char *path, const char *name, unsigned flags, vidx_index **index, char **error);

/* Ends the use of an index, which no thread may be searching. NULL is allowed. */
void vidx_close(vidx_index *index);

/* With VIDX_SNAPSHOT: searches see what is committed now. */
int vidx_refresh(vidx_index *index, char **error);

/* The number of floats of a vector. */
size_t vidx_dimensions(const vidx_index *index);

/* What a search may spend; zeroed means the defaults. */
typedef struct vidx_search_settings {
  uint32_t ef_search; /* HNSW: candidates kept; 0 for the default */
  uint32_t probes;    /* IVFFlat: lists scanned; 0 for the default */
  uint32_t exact;     /* not 0: compare with every vector */
  float target_recall; /* share of the true neighbours to aim at, above 0 to 1 (exact); 0: not given */
} vidx_search_settings;

/* The k rows nearest to a query of `dimensions` floats, nearest first, ties by row id. Takes nothing from the heap once
 * there have been searches like it, while no more than four threads search the index at a time, unless the database has
 * to be read for what is committed: after a commit, and always with a write-ahead log and without VIDX_SNAPSHOT.
 *
 *   settings   NULL for the defaults
 *   ids, distances   room for k each
 *   found      how many there are: fewer than k when the index has fewer rows */
int vidx_search(vidx_index *index, const float *query, size_t dimensions, size_t k,
                const vidx_search_settings *settings, int64_t *ids, float *distances, size_t *found, char **error);

/* Many searches on one state of the index.
 *
 *   queries    count x dimensions floats, row-major
 *   threads    0 for as many as there are processors
 *   ids, distances   count x k; where the index has fewer rows, -1 and infinity */
int vidx_search_batch(vidx_index *index, const float *queries, size_t count, size_t dimensions, size_t k,
                      const vidx_search_settings *settings, size_t threads, int64_t *ids, float *distances,
                      char **error);

/* What the index is and holds in the state that searches see, as a JSON object: name, path, dimensions, metric, type
 * and its parameters, codec (as asked for, "auto" too), rows, segments (file, rows, bytes, the codec they have,
 * code_bytes: those of one vector's code), delta_rows, deleted_rows. `*json` is to be freed by vidx_free. */
int vidx_info(vidx_index *index, char **json, char **error);

#ifdef __cplusplus
}
#endif
#endif
