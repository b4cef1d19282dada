#if defined(__x86_64__)

#include <immintrin.h>

#include "f32.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

typedef __m256 (*step_f32)(__m256 sum, __m256 q, __m256 v);

VIDX_INLINE __m256 neg_dot_step(__m256 sum, __m256 q, __m256 v) { return _mm256_fnmadd_ps(q, v, sum); }

VIDX_INLINE __m256 l2sq_step(__m256 sum, __m256 q, __m256 v) {
  __m256 d = _mm256_sub_ps(q, v);
  return _mm256_fmadd_ps(d, d, sum);
}

VIDX_INLINE __m256 l1_step(__m256 sum, __m256 q, __m256 v) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return _mm256_add_ps(sum, _mm256_andnot_ps(sign, _mm256_sub_ps(q, v)));
}

VIDX_INLINE float sum_of(const __m256 a[4]) {
  __m256 s = _mm256_add_ps(_mm256_add_ps(a[0], a[1]), _mm256_add_ps(a[2], a[3]));
  __m128 u = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  u = _mm_add_ps(u, _mm_movehl_ps(u, u));
  return _mm_cvtss_f32(_mm_add_ss(u, _mm_movehdup_ps(u)));
}

/* Lanes 0..<count set, for count in 1...7. */
VIDX_INLINE __m256i first_lanes(size_t count) {
  static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256((const __m256i *)(window + 8 - count));
}

/* One or two vectors in a pass. Accumulator j takes floats 8 j..<8 j + 8 of every 32; the rest goes to 0 by eights,
 * and what is left of that, masked, to 1. */
VIDX_INLINE void score_pass(const float *query, const float *const *vectors, const float *const *ahead, int count,
                            size_t n, float *out, step_f32 step) {
  __m256 a[2][4];
  size_t i = 0;
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r][0] = a[r][1] = a[r][2] = a[r][3] = _mm256_setzero_ps();

  for (; i + 32 <= n; i += 32) {
    vidx_prefetch_ahead(ahead, count, i, 32);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      __m256 q = _mm256_loadu_ps(query + i + 8 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) a[r][j] = step(a[r][j], q, _mm256_loadu_ps(vectors[r] + i + 8 * j));
    }
  }
  for (; i + 8 <= n; i += 8) {
    vidx_prefetch_ahead(ahead, count, i, 8);
    __m256 q = _mm256_loadu_ps(query + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r][0] = step(a[r][0], q, _mm256_loadu_ps(vectors[r] + i));
  }
  if (i < n) {
    vidx_prefetch_ahead(ahead, count, i, 8);
    __m256i mask = first_lanes(n - i);
    __m256 q = _mm256_maskload_ps(query + i, mask);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r][1] = step(a[r][1], q, _mm256_maskload_ps(vectors[r] + i, mask));
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = sum_of(a[r]);
}

/* Two by two: with four vectors the accumulators alone would fill the register file. */
VIDX_INLINE void score_f32_avx2(const float *query, const float *const *vectors, const float *const *ahead, int count,
                                size_t n, float *out, step_f32 step) {
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r += 2)
    score_pass(query, vectors + r, ahead ? ahead + r : NULL, count == 1 ? 1 : 2, n, out + r, step);
}

VIDX_F32_ENTRY_POINTS(neg_dot, avx2)
VIDX_F32_ENTRY_POINTS(l2sq, avx2)
VIDX_F32_ENTRY_POINTS(l1, avx2)

#pragma clang attribute pop

const vidx_kernels vidx_kernels_avx2 = VIDX_F32_TABLE(avx2);

#endif
