#ifndef VIDX_CANDIDATES_H
#define VIDX_CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

/* One definition of vidx_insert_candidates for each instruction set; CVidxKernels.h says what it does. */
#define VIDX_DECLARE_INSERT_CANDIDATES(isa)                                                                            \
  size_t vidx_insert_candidates_##isa(float *scores, uint32_t *tags, size_t *count, size_t capacity,                   \
                                      const float *block, const uint32_t *ids, size_t n)

VIDX_DECLARE_INSERT_CANDIDATES(scalar);
VIDX_DECLARE_INSERT_CANDIDATES(avx2);
VIDX_DECLARE_INSERT_CANDIDATES(avx512);
VIDX_DECLARE_INSERT_CANDIDATES(neon);

#endif
