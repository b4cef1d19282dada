#ifndef CALLOCATIONCOUNTER_H
#define CALLOCATIONCOUNTER_H

#include <stddef.h>

/* Counts what a program takes from the heap: linked into it, these functions stand before the C library's own, also for
 * the libraries it loads. */

/* Calls of malloc, calloc, realloc and their aligned relatives by this thread so far. */
size_t vidx_test_allocations(void);

/* 0 where they cannot be counted: without glibc, and where a sanitizer has its own functions. */
int vidx_test_counts_allocations(void);

#endif
