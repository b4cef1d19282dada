#include "CVidxExtension.h"

#include <stddef.h>

#include <sqlite3ext.h>

/* Swift (VidxExtension.swift): adds the module and the functions to a connection. Returns an SQLite result code, and a
 * message allocated by sqlite3_mprintf when it is not SQLITE_OK. */
int vidx_register(sqlite3 *db, char **error);

int vidx_adopt(const sqlite3_api_routines *api) {
  const sqlite3_api_routines *none = NULL;
  return __atomic_compare_exchange_n(&vidx_sqlite, &none, api, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) || none == api;
}

__attribute__((visibility("default"))) int sqlite3_vidx_init(sqlite3 *db, char **error,
                                                             const sqlite3_api_routines *api) {
  /* Members beyond those of the host's version are not there to be read. libversion_number and mprintf are as old as
   * extensions. */
  if (api->libversion_number() < vidx_sqlite_minimum) {
    if (error)
      *error = api->mprintf("vidx needs SQLite %d.%d or newer, and this program has %s: "
                            "use one built with a newer SQLite",
                            vidx_sqlite_minimum / 1000000, vidx_sqlite_minimum / 1000 % 1000, api->libversion());
    return SQLITE_ERROR;
  }
  if (!vidx_adopt(api)) {
    if (error)
      *error = api->mprintf("vidx is in use by another copy of SQLite in this process: load it into one of them only");
    return SQLITE_ERROR;
  }
  int code = vidx_register(db, error);
  /* Stay in memory when the connection closes: threads of the library's own pool may outlive it. */
  return code == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : code;
}

/* The name SQLite tries first, whatever the file is called. */
__attribute__((visibility("default"))) int sqlite3_extension_init(sqlite3 *db, char **error,
                                                                  const sqlite3_api_routines *api) {
  return sqlite3_vidx_init(db, error, api);
}
