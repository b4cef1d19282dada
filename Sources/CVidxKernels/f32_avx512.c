#if defined(__x86_64__)

#include <immintrin.h>

#include "f32.h"

#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)

typedef __m512 (*step_f32)(__m512 sum, __m512 q, __m512 v);

VIDX_INLINE __m512 neg_dot_step(__m512 sum, __m512 q, __m512 v) { return _mm512_fnmadd_ps(q, v, sum); }

VIDX_INLINE __m512 l2sq_step(__m512 sum, __m512 q, __m512 v) {
  __m512 d = _mm512_sub_ps(q, v);
  return _mm512_fmadd_ps(d, d, sum);
}

VIDX_INLINE __m512 l1_step(__m512 sum, __m512 q, __m512 v) {
  return _mm512_add_ps(sum, _mm512_abs_ps(_mm512_sub_ps(q, v)));
}

/* Spelt out, not _mm512_reduce_add_ps, whose order is the compiler's choice. */
VIDX_INLINE float sum_of(const __m512 a[4]) {
  __m512 s = _mm512_add_ps(_mm512_add_ps(a[0], a[1]), _mm512_add_ps(a[2], a[3]));
  __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(s), 1));
  __m256 t = _mm256_add_ps(_mm512_castps512_ps256(s), high);
  __m128 u = _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
  u = _mm_add_ps(u, _mm_movehl_ps(u, u));
  return _mm_cvtss_f32(_mm_add_ss(u, _mm_movehdup_ps(u)));
}

/* Accumulator j takes floats 16 j..<16 j + 16 of every 64; the rest goes to 0 by sixteens, and what is left of that,
 * masked, to 1. */
VIDX_INLINE void score_f32_avx512(const float *query, const float *const *vectors, const float *const *ahead, int count,
                                  size_t n, float *out, step_f32 step) {
  __m512 a[4][4];
  size_t i = 0;
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r][0] = a[r][1] = a[r][2] = a[r][3] = _mm512_setzero_ps();

  for (; i + 64 <= n; i += 64) {
    vidx_prefetch_ahead(ahead, count, i, 64);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      __m512 q = _mm512_loadu_ps(query + i + 16 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) a[r][j] = step(a[r][j], q, _mm512_loadu_ps(vectors[r] + i + 16 * j));
    }
  }
  for (; i + 16 <= n; i += 16) {
    vidx_prefetch_ahead(ahead, count, i, 16);
    __m512 q = _mm512_loadu_ps(query + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r][0] = step(a[r][0], q, _mm512_loadu_ps(vectors[r] + i));
  }
  if (i < n) {
    vidx_prefetch_ahead(ahead, count, i, 16);
    __mmask16 mask = (__mmask16)((1u << (n - i)) - 1);
    __m512 q = _mm512_maskz_loadu_ps(mask, query + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r][1] = step(a[r][1], q, _mm512_maskz_loadu_ps(mask, vectors[r] + i));
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = sum_of(a[r]);
}

VIDX_F32_ENTRY_POINTS(neg_dot, avx512)
VIDX_F32_ENTRY_POINTS(l2sq, avx512)
VIDX_F32_ENTRY_POINTS(l1, avx512)

#pragma clang attribute pop

const vidx_kernels vidx_kernels_avx512 = VIDX_F32_TABLE(avx512);

#endif
