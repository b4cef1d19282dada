#if defined(__linux__)
#define _GNU_SOURCE
#include <fcntl.h>
#endif

#include "CVidxKernels.h"

/* Not a kernel; here because Swift's Glibc module lacks the Linux call. */
void vidx_begin_writing(int file, int64_t offset, int64_t length) {
#if defined(__linux__)
  (void)sync_file_range(file, offset, length, SYNC_FILE_RANGE_WRITE);
#else
  (void)file, (void)offset, (void)length;
#endif
}
