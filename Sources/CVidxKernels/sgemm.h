#ifndef VIDX_SGEMM_H
#define VIDX_SGEMM_H

#include "CVidxKernels.h"

#define VIDX_DECLARE_SGEMM(isa)                                                                                        \
  void vidx_sgemm_nt_##isa(const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc, size_t m,     \
                           size_t n, size_t k, int threads);

VIDX_DECLARE_SGEMM(scalar)
#if defined(__x86_64__)
VIDX_DECLARE_SGEMM(avx2)
VIDX_DECLARE_SGEMM(avx512)
#elif defined(__aarch64__)
VIDX_DECLARE_SGEMM(neon)
#endif

#endif
