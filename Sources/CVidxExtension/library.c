/* libvidx without a host that loads it as an extension: finds the process's SQLite. */
#define _GNU_SOURCE /* RTLD_DEFAULT, RTLD_NOLOAD, strdup */
#include "CVidxExtension.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3ext.h>

#ifdef __APPLE__
static const char *const library_names[] = {"libsqlite3.dylib", "/usr/lib/libsqlite3.dylib"};
#else
static const char *const library_names[] = {"libsqlite3.so.0", "libsqlite3.so"};
#endif

enum { names = sizeof library_names / sizeof *library_names };

/* Returns 0 when there is none. A second copy of SQLite would not see the locks of the first (POSIX locks are the
 * process's), so one that is there already is preferred: among the symbols everybody sees, then under its usual names,
 * and only then a new one. */
static int find_library(void **library) {
  *library = RTLD_DEFAULT;
  if (dlsym(RTLD_DEFAULT, "sqlite3_auto_extension")) return 1;
  *library = NULL;
  for (int i = 0; i < names && !*library; i++) *library = dlopen(library_names[i], RTLD_NOW | RTLD_NOLOAD);
  for (int i = 0; i < names && !*library; i++) *library = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
  return *library != NULL;
}

static const sqlite3_api_routines *captured;

static int capture(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  (void)db, (void)error;
  __atomic_store_n(&captured, api, __ATOMIC_RELEASE);
  return SQLITE_OK;
}

/* SQLite hands its table of routines to extensions only: be one, for the time it takes to open a connection. */
static const char *capture_routines(void *library) {
  typedef int entry(sqlite3 *, char **, const sqlite3_api_routines *);
  int (*add)(entry *) = (int (*)(entry *))dlsym(library, "sqlite3_auto_extension");
  int (*cancel)(entry *) = (int (*)(entry *))dlsym(library, "sqlite3_cancel_auto_extension");
  int (*open)(const char *, sqlite3 **) = (int (*)(const char *, sqlite3 **))dlsym(library, "sqlite3_open");
  int (*close)(sqlite3 *) = (int (*)(sqlite3 *))dlsym(library, "sqlite3_close");
  if (!add || !cancel || !open || !close) return "the SQLite library of this process lacks functions; use another";
  if (add(capture) != SQLITE_OK) return "out of memory";
  sqlite3 *db = NULL;
  int code = open(":memory:", &db);
  close(db);
  cancel(capture);
  if (code != SQLITE_OK) return "the SQLite library of this process cannot open a database; use another";
  if (!__atomic_load_n(&captured, __ATOMIC_ACQUIRE))
    return "the SQLite library of this process is built without extensions; use another";
  return NULL;
}

static const char *too_old(const sqlite3_api_routines *api) {
  static _Thread_local char message[120];
  if (api->libversion_number() >= vidx_sqlite_minimum) return NULL;
  snprintf(message, sizeof message, "vidx needs SQLite %d.%d or newer, and this program has %s: use a newer SQLite",
           vidx_sqlite_minimum / 1000000, vidx_sqlite_minimum / 1000 % 1000, api->libversion());
  return message;
}

const char *vidx_find_sqlite(void) {
  if (__atomic_load_n(&vidx_sqlite, __ATOMIC_ACQUIRE)) return NULL;
  void *library;
  if (!find_library(&library))
    return "there is no SQLite library: install libsqlite3 (Debian: apt-get install libsqlite3-0)";
  const char *problem = capture_routines(library);
  if (!problem) problem = too_old(captured);
  if (problem) return problem;
  vidx_adopt(captured);
  return NULL;
}

static _Thread_local vidx_search_report last_search;

void vidx_note_search(const vidx_search_report *report) { last_search = *report; }

__attribute__((visibility("default"))) void vidx_last_search(vidx_search_report *report) {
  if (report) *report = last_search;
}

__attribute__((visibility("default"))) int vidx_abi(void) { return VIDX_ABI; }

char *vidx_copy_text(const char *text) { return strdup(text); }

__attribute__((visibility("default"))) void vidx_free(void *memory) { free(memory); }
