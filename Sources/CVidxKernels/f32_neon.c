#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "f32.h"

typedef float32x4_t (*step_f32)(float32x4_t sum, float32x4_t q, float32x4_t v);

VIDX_INLINE float32x4_t neg_dot_step(float32x4_t sum, float32x4_t q, float32x4_t v) { return vfmsq_f32(sum, q, v); }

VIDX_INLINE float32x4_t l2sq_step(float32x4_t sum, float32x4_t q, float32x4_t v) {
  float32x4_t d = vsubq_f32(q, v);
  return vfmaq_f32(sum, d, d);
}

VIDX_INLINE float32x4_t l1_step(float32x4_t sum, float32x4_t q, float32x4_t v) {
  return vaddq_f32(sum, vabdq_f32(q, v));
}

VIDX_INLINE float sum_of(const float32x4_t a[4]) {
  return vaddvq_f32(vaddq_f32(vaddq_f32(a[0], a[1]), vaddq_f32(a[2], a[3])));
}

/* The first `count` floats (1...3), then zeros: reads nothing beyond them. */
VIDX_INLINE float32x4_t load_first(const float *p, size_t count) {
  float lanes[4] = {0};
  memcpy(lanes, p, count * sizeof(float));
  return vld1q_f32(lanes);
}

/* Accumulator j takes floats 4 j..<4 j + 4 of every 16; the rest goes to 0 by fours, and what is left of that to 1. */
VIDX_INLINE void score_f32_neon(const float *query, const float *const *vectors, const float *const *ahead, int count,
                                size_t n, float *out, step_f32 step) {
  float32x4_t a[4][4];
  size_t i = 0;
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r][0] = a[r][1] = a[r][2] = a[r][3] = vdupq_n_f32(0);

  for (; i + 16 <= n; i += 16) {
    vidx_prefetch_ahead(ahead, count, i, 16);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      float32x4_t q = vld1q_f32(query + i + 4 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) a[r][j] = step(a[r][j], q, vld1q_f32(vectors[r] + i + 4 * j));
    }
  }
  for (; i + 4 <= n; i += 4) {
    vidx_prefetch_ahead(ahead, count, i, 4);
    float32x4_t q = vld1q_f32(query + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r][0] = step(a[r][0], q, vld1q_f32(vectors[r] + i));
  }
  if (i < n) {
    vidx_prefetch_ahead(ahead, count, i, 4);
    float32x4_t q = load_first(query + i, n - i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r][1] = step(a[r][1], q, load_first(vectors[r] + i, n - i));
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = sum_of(a[r]);
}

VIDX_F32_ENTRY_POINTS(neg_dot, neon)
VIDX_F32_ENTRY_POINTS(l2sq, neon)
VIDX_F32_ENTRY_POINTS(l1, neon)

const vidx_kernels vidx_kernels_neon = VIDX_F32_TABLE(neon);

#endif
