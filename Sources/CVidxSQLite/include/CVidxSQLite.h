#ifndef CVIDXSQLITE_H
#define CVIDXSQLITE_H
#include <sqlite3.h>

/* Layouts that begin with SQLite's own structs, and wrappers for variadic functions, which Swift does not import. */

typedef struct vidx_vtab {
  sqlite3_vtab base;
  void *implementation;
} vidx_vtab;

typedef struct vidx_vtab_cursor {
  sqlite3_vtab_cursor base;
  void *implementation;
} vidx_vtab_cursor;

static inline int vidx_vtab_config(sqlite3 *db, int op, int value) { return sqlite3_vtab_config(db, op, value); }

/* Allocated by SQLite, for zErrMsg. */
static inline char *vidx_strdup(const char *text) { return sqlite3_mprintf("%s", text); }

/* To the log of errors that a host may have set. */
static inline void vidx_log(int code, const char *text) { sqlite3_log(code, "%s", text); }

static inline sqlite3_destructor_type vidx_transient(void) { return SQLITE_TRANSIENT; }

#endif
