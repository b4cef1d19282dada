// Between SQLite and its allocator: counts allocations and fails those that a test asks for. Loaded by allocations.py.
//
// cc -shared -fPIC -O2 allocations.c -o allocations.so -lsqlite3

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

static sqlite3_mem_methods real;
static atomic_long number;        // of the next allocation
static atomic_long fail_at = -1;
static atomic_int from_here;      // all later ones fail, too
static atomic_int has_failed;
static atomic_long held;          // allocated and not freed

static int fails(void) {
  long at = atomic_load(&fail_at), this = atomic_fetch_add(&number, 1);
  if (at < 0 || (atomic_load(&from_here) ? this < at : this != at)) return 0;
  atomic_store(&has_failed, 1);
  return 1;
}

static void *allocate(int size) {
  void *memory = fails() ? NULL : real.xMalloc(size);
  if (memory) atomic_fetch_add(&held, 1);
  return memory;
}

static void *resize(void *memory, int size) { return fails() ? NULL : real.xRealloc(memory, size); }

static void give_back(void *memory) {
  real.xFree(memory);
  atomic_fetch_sub(&held, 1);
}

/// Before any connection is open. Without lookaside, so that each allocation is one. An SQLite result code.
int allocations_install(void) {
  int code = sqlite3_shutdown();
  if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
  sqlite3_mem_methods ours = real;
  ours.xMalloc = allocate, ours.xRealloc = resize, ours.xFree = give_back;
  if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
  if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
  return code == SQLITE_OK ? sqlite3_initialize() : code;
}

/// Fails the allocation with this number, counted from 0 from now on, and with `all` each later one. -1 fails none.
void allocations_fail(long at, int all) {
  if (at >= 0) atomic_store(&number, 0), atomic_store(&has_failed, 0);
  atomic_store(&from_here, all);
  atomic_store(&fail_at, at);
}

/// How many there were since allocations_fail.
long allocations_count(void) { return atomic_load(&number); }

/// Whether one was failed.
int allocations_failed(void) { return atomic_load(&has_failed); }

/// How many are not freed.
long allocations_held(void) { return atomic_load(&held); }
