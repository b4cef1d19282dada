// Preloaded into a test's process: records the calls that change files beneath one folder, and fails them on request.
//
// Both SQLite's files and the segments pass through libc, so one log has the order of all their writes, as the disk
// sees it. What the log holds is replayed by disk.py, which loses what was not synchronised.
//
//   VIDX_CALLS_ROOT   the folder; without it nothing is recorded or failed. Inherited by child processes.
//   VIDX_CALLS_LOG    appended to; any number of processes may write to it
//   VIDX_CALLS_FAIL   NUMBER,ERRNO,HOW: see calls_fail
//   VIDX_CALLS_TOLD   a file that is made when the call that was to fail has come
//
// cc -shared -fPIC -O2 calls.c -o calls.so -ldl -lpthread

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FILES = 4096 };

// How a call fails.
enum { ONCE = 0, FROM_HERE = 1, SHORT = 2, KILL = 3 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static char log_path[PATH_MAX];
static int log_file = -1;
static char told[PATH_MAX];
static char *names[FILES];  // of open files beneath the root, by descriptor
static long call_number;    // of the next call that may be failed
static long fail_at = -1;
static int fail_code, fail_how;
static int has_failed;

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int real_open(const char *path, int flags, mode_t mode) {
  static int (*real)(const char *, int, ...);
  if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  return real(path, flags, mode);
}

static ssize_t real_write(int file, const void *bytes, size_t count) {
  REAL(write);
  return real(file, bytes, count);
}

// ---- What the tests tell

static void open_log(void) {
  log_file = log_path[0] ? real_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

/// The folder whose files count, absolute and without symbolic links; empty for none.
void calls_root(const char *path) {
  pthread_mutex_lock(&lock);
  snprintf(root, sizeof root, "%s", path);
  root_length = strlen(root);
  pthread_mutex_unlock(&lock);
}

/// Where calls are recorded; empty for nowhere.
void calls_log(const char *path) {
  pthread_mutex_lock(&lock);
  REAL(close);
  if (log_file >= 0) real(log_file);
  snprintf(log_path, sizeof log_path, "%s", path);
  open_log();
  pthread_mutex_unlock(&lock);
}

/// Fails the call with this number, counted from 0 from now on: ONCE; FROM_HERE also all later ones that take space
/// (a full disk); SHORT lets every write do only a part; KILL ends the process by SIGKILL instead. -1 fails none from
/// now on.
void calls_fail(long number, int code, int how) {
  pthread_mutex_lock(&lock);
  if (number >= 0) call_number = 0, has_failed = 0;
  fail_at = number, fail_code = code, fail_how = how;
  pthread_mutex_unlock(&lock);
}

/// How many calls there were since calls_fail.
long calls_count(void) { return call_number; }

/// Whether the call that was to fail came.
int calls_failed(void) { return has_failed; }

__attribute__((constructor)) static void begin(void) {
  const char *value = getenv("VIDX_CALLS_ROOT");
  if (value) calls_root(value);
  value = getenv("VIDX_CALLS_LOG");
  if (value) calls_log(value);
  value = getenv("VIDX_CALLS_TOLD");
  if (value) snprintf(told, sizeof told, "%s", value);
  value = getenv("VIDX_CALLS_FAIL");
  long number;
  int code, how;
  if (value && sscanf(value, "%ld,%d,%d", &number, &code, &how) == 3) calls_fail(number, code, how);
}

// ---- Recording

struct record {
  uint32_t operation;  // a character
  uint32_t first, second;  // bytes of a path and of another, or of data
  uint32_t zero;
  int64_t offset;
};

/// One record, written in one call, so that those of several processes do not mix.
static void record(char operation, const char *path, const void *bytes, size_t count, int64_t offset) {
  if (log_file < 0) return;
  size_t length = strlen(path);
  struct record head = {(uint32_t)operation, (uint32_t)length, (uint32_t)count, 0, offset};
  char *whole = malloc(sizeof head + length + count);
  memcpy(whole, &head, sizeof head);
  memcpy(whole + sizeof head, path, length);
  if (count) memcpy(whole + sizeof head + length, bytes, count);
  size_t size = sizeof head + length + count;
  if (real_write(log_file, whole, size) != (ssize_t)size) abort();
  free(whole);
}

/// Writes a mark of the test into the log.
void calls_mark(long number) {
  pthread_mutex_lock(&lock);
  record('#', "", NULL, 0, number);
  pthread_mutex_unlock(&lock);
}

// ---- Which files count

/// The path beneath the root, or NULL. Paths are taken as they are given: tests give absolute ones.
static const char *inside(const char *path) {
  if (!root_length || strncmp(path, root, root_length) != 0 || path[root_length] != '/') return NULL;
  size_t length = strlen(path);
  if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;  // rebuilt by whoever opens first
  return path + root_length + 1;
}

/// As inside, and the root itself as ".": a directory to be synchronised.
static const char *inside_or_root(const char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  if (root_length && length == root_length && strncmp(path, root, length) == 0) return ".";
  return inside(path);
}

static const char *name_of(int file) { return file >= 0 && file < FILES ? names[file] : NULL; }

/// Whether this call fails; sets errno. Counts it.
static int fails(int takes_space) {
  long number = call_number++;
  if (fail_at < 0) return 0;
  int hit = number == fail_at;
  if (hit && told[0]) {
    REAL(close);
    real(real_open(told, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  if (fail_how == KILL && hit) {
    kill(getpid(), SIGKILL);
    pause();
  }
  if (hit) has_failed = 1;
  if (fail_how == ONCE ? hit : fail_how == FROM_HERE && number >= fail_at && takes_space) {
    errno = fail_code;
    return 1;
  }
  return 0;
}

static size_t shortened(size_t count) {
  if (fail_how != SHORT || fail_at < 0) return count;
  has_failed = 1;
  return count > 1 ? count / 2 : count;
}

// ---- The calls

static int open_any(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  const char *name = inside_or_root(path);
  if (!name) {
    pthread_mutex_unlock(&lock);
    return real_open(path, flags, mode);
  }
  int file = -1;
  if (!fails(flags & O_CREAT)) {
    struct stat status;
    int is_new = (flags & O_CREAT) && lstat(path, &status) != 0;
    file = real_open(path, flags, mode);
    if (file >= 0 && file < FILES) {
      free(names[file]);
      names[file] = strdup(name);
      if (is_new) record('c', name, NULL, 0, 0);
      if (!is_new && (flags & O_TRUNC)) record('t', name, NULL, 0, 0);
    }
  }
  int code = errno;
  pthread_mutex_unlock(&lock);
  errno = code;
  return file;
}

int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  return open_any(path, flags, mode);
}

int close(int file) {
  REAL(close);
  pthread_mutex_lock(&lock);
  if (name_of(file)) {
    free(names[file]);
    names[file] = NULL;
  }
  pthread_mutex_unlock(&lock);
  return real(file);
}

static ssize_t write_any(int file, const void *bytes, size_t count, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  const char *name = name_of(file);
  if (!name) return real(file, bytes, count, offset);
  pthread_mutex_lock(&lock);
  ssize_t written = -1;
  if (!fails(1)) {
    written = real(file, bytes, shortened(count), offset);
    if (written > 0) record('w', name, bytes, (size_t)written, offset);
  }
  int code = errno;
  pthread_mutex_unlock(&lock);
  errno = code;
  return written;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return write_any(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  return write_any(file, bytes, count, offset);
}

ssize_t write(int file, const void *bytes, size_t count) {
  if (!name_of(file)) return real_write(file, bytes, count);
  off64_t offset = lseek64(file, 0, SEEK_CUR);
  ssize_t written = write_any(file, bytes, count, offset);
  if (written > 0) lseek64(file, offset + written, SEEK_SET);
  return written;
}

#define READ(function, type) \
  ssize_t function(int file, void *bytes, size_t count, type offset) { \
    static ssize_t (*real)(int, void *, size_t, type); \
    if (!real) real = (ssize_t (*)(int, void *, size_t, type))dlsym(RTLD_NEXT, #function); \
    if (name_of(file)) { \
      pthread_mutex_lock(&lock); \
      int failed = fails(0), code = errno; \
      pthread_mutex_unlock(&lock); \
      errno = code; \
      if (failed) return -1; \
    } \
    return real(file, bytes, count, offset); \
  }
READ(pread, off_t)
READ(pread64, off64_t)

#define TRUNCATE(function, type) \
  int function(int file, type size) { \
    static int (*real)(int, type); \
    if (!real) real = (int (*)(int, type))dlsym(RTLD_NEXT, #function); \
    const char *name = name_of(file); \
    if (!name) return real(file, size); \
    pthread_mutex_lock(&lock); \
    int result = -1; \
    if (!fails(1) && (result = real(file, size)) == 0) record('t', name, NULL, 0, size); \
    int code = errno; \
    pthread_mutex_unlock(&lock); \
    errno = code; \
    return result; \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNCHRONISE(function) \
  int function(int file) { \
    REAL(function); \
    const char *name = name_of(file); \
    if (!name) return real(file); \
    pthread_mutex_lock(&lock); \
    int result = -1; \
    if (!fails(1) && (result = 0) == 0) record('s', name, NULL, 0, 0); \
    int code = errno; \
    pthread_mutex_unlock(&lock); \
    errno = code; \
    return result; \
  }
// Nothing is synchronised: what a power loss takes is disk.py's to say, and waiting for a device proves nothing.
SYNCHRONISE(fsync)
SYNCHRONISE(fdatasync)

int rename(const char *source, const char *target) {
  REAL(rename);
  const char *from = inside(source), *to = inside(target);
  if (!from || !to) return real(source, target);
  pthread_mutex_lock(&lock);
  int result = -1;
  if (!fails(1) && (result = real(source, target)) == 0) record('r', from, to, strlen(to), 0);
  int code = errno;
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

int unlink(const char *path) {
  REAL(unlink);
  const char *name = inside(path);
  if (!name) return real(path);
  pthread_mutex_lock(&lock);
  int result = -1;
  if (!fails(0) && (result = real(path)) == 0) record('u', name, NULL, 0, 0);
  int code = errno;
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  const char *name = inside(path);
  if (!name) return real(path, mode);
  pthread_mutex_lock(&lock);
  int result = -1;
  if (!fails(1) && (result = real(path, mode)) == 0) record('m', name, NULL, 0, 0);
  int code = errno;
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}
