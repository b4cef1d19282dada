#ifndef CVIDXEXTENSION_H
#define CVIDXEXTENSION_H

#include "vidx.h"

/* For VidxExtension: the functions of vidx.h are written in Swift there, those of an SQLite extension in
 * CVidxExtension.c. */

struct sqlite3_api_routines;

/* The table of routines that the forwarders use (forwarders.c). */
extern const struct sqlite3_api_routines *vidx_sqlite;
extern const int vidx_sqlite_minimum;

/* Makes the table of a SQLite the one in use.
 * Returns 0 when another one is: a library serves one SQLite. A second copy in the process (statically linked into some
 * module) has its own heap and its own table. */
int vidx_adopt(const struct sqlite3_api_routines *api);

/* Adopts the SQLite of this process, where no host has handed over its own: to be called before anything else of it.
 * Any thread may call it at any time. Returns NULL, or what is wrong and what to do. */
const char *vidx_find_sqlite(void);

/* Keeps what vidx_last_search tells this thread. */
void vidx_note_search(const vidx_search_report *report);

/* A copy for vidx_free; NULL when there is no memory. */
char *vidx_copy_text(const char *text);

#endif
