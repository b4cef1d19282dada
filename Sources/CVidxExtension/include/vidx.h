/* vidx.h: the C interface of libvidx.
 *
 * An index lives in an SQLite database file (`app.db`, its vectors in `app.db-vidx/`). These functions build one from
 * an array of vectors and search it, with a condition in SQL or without; everything else (inserting, deleting) is done
 * through SQLite, with the same library loaded as an extension.
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
  VIDX_CANCELLED = 10,   /* the caller's progress or cancel function said so */
  VIDX_TIMEOUT = 11,     /* a condition was not evaluated in the time it was given */
  VIDX_WRONG_MODEL = 12, /* the query is said to be of another embedding model than the index's vectors */
};

/* The version of the library, for example "0.1.0". */
const char *vidx_version(void);

/* The number of this interface: another one with each change of a structure, or of what a function takes. Who is
 * compiled with this header calls a library of the same number only. Who loads the library at run time (dlopen), and
 * may meet another than it was compiled for, compares vidx_abi() with VIDX_ABI before it calls anything else. */
#define VIDX_ABI 1

/* The VIDX_ABI that the library was compiled with. */
int vidx_abi(void);

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
 *             codec, seed, model (a name that is not one word stands in quotes: "model='my model'"); NULL-terminated,
 *             or NULL
 *   threads   0 for as many as there are processors; the outcome is the same for the same seed with one thread
 *   progress  NULL for none */
int vidx_build(const char *path, const char *name, const float *vectors, size_t count, size_t dimensions,
               const int64_t *ids, const char *const *options, size_t threads, vidx_progress progress, void *context,
               char **error);

/* The values of rows in a filter column, in the order of the rows and in one of three forms; the others are NULL. */
typedef struct vidx_column {
  const char *name;
  const int64_t *integers;
  const double *reals; /* NaN stands for NULL */
  const struct vidx_value *values;
} vidx_column;

/* The same with filter columns: values that the index keeps beside the vectors, for vidx_filter_columns. */
int vidx_build_filtered(const char *path, const char *name, const float *vectors, size_t count, size_t dimensions,
                        const int64_t *ids, const char *const *options, const vidx_column *columns,
                        size_t column_count, size_t threads, vidx_progress progress, void *context, char **error);

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

/* The number of floats of a vector, in the state that searches see. */
size_t vidx_dimensions(const vidx_index *index);

/* ---- Filters ---- */

/* Which rows may be neighbours. For any number of searches of the index it was made for, on any number of threads: what
 * it lets pass is resolved by the first of them, and again after something has been committed to the database. */
typedef struct vidx_filter vidx_filter;

enum { VIDX_NULL = 0, VIDX_INTEGER = 1, VIDX_REAL = 2, VIDX_TEXT = 3, VIDX_BLOB = 4 };

/* A value for a parameter of a condition. */
typedef struct vidx_value {
  uint32_t type;
  int64_t integer;
  double real;
  const void *bytes; /* of a text (UTF-8) or blob; copied */
  size_t count;
} vidx_value;

/* The rows for which a condition holds: what stands in the WHERE of a SELECT over the table that the index follows
 * (content=), or else the one named for its rows, or else the index itself, of which only rowid can be asked. It may
 * join other tables in subqueries. `values` stand for its `?`, in order.
 *
 * It is compiled at once, and run when a search needs it. It is run for every search when it may answer something else
 * each time: with random(), with date functions (which may be given 'now'), over virtual tables that are not known to
 * keep their rows in the database. With VIDX_SNAPSHOT it is asked of what is committed when a search first uses the
 * filter after vidx_open or vidx_refresh. */
int vidx_filter_where(vidx_index *index, const char *condition, const vidx_value *values, size_t count,
                      vidx_filter **filter, char **error);

/* These rows; in any order, ids that are not in the index and repeated ones are ignored. They are copied. */
int vidx_filter_ids(vidx_index *index, const int64_t *ids, size_t count, vidx_filter **filter, char **error);

/* Tests of a filter column. NULL passes VIDX_IS_NULL only. */
enum {
  VIDX_IN = 0,      /* equal to one of the values, of which there may be any number */
  VIDX_DIFFERS = 1, /* these up to VIDX_AT_LEAST have one value */
  VIDX_BELOW = 2,
  VIDX_AT_MOST = 3,
  VIDX_ABOVE = 4,
  VIDX_AT_LEAST = 5,
  VIDX_BETWEEN = 6, /* two values, both included */
  VIDX_IS_NULL = 7,
  VIDX_IS_NOT_NULL = 8,
};

typedef struct vidx_condition {
  const char *column;
  uint32_t test;
  const vidx_value *values;
  size_t count;
} vidx_condition;

/* The rows that pass all of these tests of the index's filter columns. No row of the database is read for it. Values
 * compare as SQLite compares those of a column without a type; nothing is converted. Columns are looked up by their
 * names in each state that is searched: where an index of this name has been made anew without one of them, searches
 * give VIDX_BAD_ARGUMENT. */
int vidx_filter_columns(vidx_index *index, const vidx_condition *conditions, size_t count, vidx_filter **filter,
                        char **error);

/* The rows that pass all of several filters of the index, as AND does: conditions, ids and tests of filter columns
 * together. Without any all rows pass. It does not need those it was made of any more. */
int vidx_filter_all(vidx_index *index, const vidx_filter *const *filters, size_t count, vidx_filter **filter,
                    char **error);

/* Ends the use of a filter, with which no thread may be searching. To be done before the index is closed. NULL is
 * allowed. */
void vidx_filter_free(vidx_filter *filter);

/* ---- Searches ---- */

/* Ways to find the nearest rows. One that the type of the index does not have is refused. */
enum {
  VIDX_PLAN_CHOSEN = 0, /* what is expected to cost least */
  VIDX_PLAN_EXACT = 1,
  VIDX_PLAN_GRAPH = 2, /* of HNSW */
  VIDX_PLAN_LISTS = 3, /* of IVFFlat, and those beside the graph of HNSW */
};

/* The last row of a page, after which the next page begins: as a search has given it. A distance of -INFINITY, with any
 * id, is before the first row. */
typedef struct vidx_cursor {
  float distance;
  int64_t id;
} vidx_cursor;

/* Asked some hundred to ten thousand times a second while the condition of a filter runs or vectors are compared, on
 * the thread that has called vidx_search or vidx_search_batch; not at all by a search that is over sooner. Anything but
 * 0 ends the search with VIDX_CANCELLED. */
typedef int (*vidx_cancel)(void *context);

/* What a search may spend, and where it looks; zeroed means the defaults. */
typedef struct vidx_search_settings {
  uint32_t ef_search; /* HNSW: candidates kept; 0 for the default */
  uint32_t probes;    /* IVFFlat: lists scanned; 0 for the default */
  uint32_t exact;     /* not 0: compare with every vector */
  float target_recall; /* share of the true neighbours to aim at, above 0 to 1 (exact); 0: not given */
  const vidx_filter *filter; /* the rows that may be neighbours; NULL for all */
  double timeout;     /* seconds that the filter's condition may take; 0 for any time */
  uint32_t plan;      /* one of VIDX_PLAN_..., for measuring and for overriding the planner */
  const double *within; /* only rows at this distance or nearer; NULL for any */
  /* Only rows after this one, by distance and id: a page; NULL for none. Pages are exact, whatever the settings. They
   * neither repeat nor skip a row of one state of the index, so with VIDX_SNAPSHOT until vidx_refresh; without it a row
   * that is committed meanwhile is on the page where it belongs, if that is still to come. */
  const vidx_cursor *after;
  vidx_cancel cancel; /* NULL for none */
  void *cancel_context;
  /* The embedding model that the query is of (UTF-8): when the index names another, or none, the search is refused with
   * VIDX_WRONG_MODEL. NULL checks nothing. */
  const char *model;
} vidx_search_settings;

/* In place of a count that is not known. */
#define VIDX_UNKNOWN UINT64_MAX

/* What a search did. */
typedef struct vidx_search_report {
  const char *plan;  /* "exact", "graph", "filtered graph", "lists", ...; lives as long as the library */
  uint32_t exact;    /* the rows found are the nearest, not an approximation */
  uint32_t complete; /* k rows were found, or all that pass when they are fewer */
  uint32_t filtered; /* there was a filter, and the next five say what it came to */
  uint32_t filter_cached;       /* its rows had been read before, and were still right */
  uint64_t rows_yielded;        /* row ids that it gave, each counted once; of rows checked, those that pass */
  uint64_t rows_without_vector; /* those of them that are not in the index; VIDX_UNKNOWN when nobody looked: where
                                 * rows were checked, and where ids and conditions, or several, are to hold */
  uint64_t rows_checked;        /* rows found without the filter and then checked; 0 where those that pass were read */
  uint64_t rows_scored;           /* rows that passed and whose vector was compared */
  uint64_t distance_computations; /* vectors, codes and centroids compared */
} vidx_search_report;

/* The report of the last search that the calling thread has made, of any index: for a batch that of all its queries
 * together. Zeroed before the first, and after one that failed. */
void vidx_last_search(vidx_search_report *report);

/* The k rows nearest to a query of `dimensions` floats, nearest first, ties by row id. Takes nothing from the heap once
 * there have been searches like it, while no more than four threads search the index at a time, unless the database has
 * to be read for what is committed: after a commit, and always with a write-ahead log and without VIDX_SNAPSHOT.
 *
 *   settings   NULL for the defaults
 *   ids, distances   room for k each
 *   found      how many there are: fewer than k when the index has fewer rows, or fewer pass the filter, or are within
 *              the distance asked for */
int vidx_search(vidx_index *index, const float *query, size_t dimensions, size_t k,
                const vidx_search_settings *settings, int64_t *ids, float *distances, size_t *found, char **error);

/* Many searches on one state of the index.
 *
 *   queries    count x dimensions floats, row-major
 *   threads    0 for as many as there are processors
 *   ids, distances   count x k; where fewer rows are found, -1 and infinity */
int vidx_search_batch(vidx_index *index, const float *queries, size_t count, size_t dimensions, size_t k,
                      const vidx_search_settings *settings, size_t threads, int64_t *ids, float *distances,
                      char **error);

/* What the index is and holds in the state that searches see, as a JSON object: name, path, dimensions, metric, type
 * and its parameters, codec (as asked for, "auto" too), model (null where none is named), rows, segments (file, rows,
 * bytes, the codec they have, code_bytes: those of one vector's code), delta_rows, deleted_rows, settings (those of
 * merge_after, threads and memory, in bytes, that are set). `*json` is to be freed by vidx_free. */
int vidx_info(vidx_index *index, char **json, char **error);

#ifdef __cplusplus
}
#endif
#endif
