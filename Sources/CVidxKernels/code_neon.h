/* Included, after <arm_neon.h>, by code_neon.c and code_neon_dot.c, which define VIDX_NEON_ISA (neon, neon_dot) and
 *
 *     dot_step(sum, codes, values)    sum of four lanes, codes of at most 127
 *     wide_step(sum, codes, values)   the same for codes of eight bits, less
 *     wide_correction(sum of values)  in the end
 */
#include "code.h"
#include "code_half.h"
#include "code_fit.h"
#include "code_read.h"
#include "code_rotate.h"

#define VIDX_JOINED_(a, b) a##_##b
#define VIDX_JOINED(a, b) VIDX_JOINED_(a, b)
#define VIDX_NEON(name) VIDX_JOINED(name, VIDX_NEON_ISA)

typedef int32x4_t lanes;

VIDX_INLINE void sums_of(const lanes a[4], int32_t *sums) {
  vst1q_s32(sums, vpaddq_s32(vpaddq_s32(a[0], a[1]), vpaddq_s32(a[2], a[3])));
}

VIDX_INLINE void zero_lanes(lanes a[4], int count) {
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r] = vdupq_n_s32(0);
}

VIDX_INLINE void int8_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                            size_t n, lanes *a) {
  zero_lanes(a, count);
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    int8x16_t q = vld1q_s8(values + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r] = wide_step(a[r], vld1q_u8(rows[r] + i), q);
  }
}

VIDX_INLINE void halves_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                              size_t n, lanes *a) {
  const uint8x16_t low = vdupq_n_u8(15);
  zero_lanes(a, count);
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    int8x16_t q0 = vld1q_s8(values + i), q1 = vld1q_s8(values + n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) {
      uint8x16_t c = vld1q_u8(rows[r] + i);
      a[r] = dot_step(a[r], vandq_u8(c, low), q0);
      a[r] = dot_step(a[r], vshrq_n_u8(c, 4), q1);
    }
  }
}

VIDX_INLINE void quarters_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead,
                                int count, size_t n, lanes *a) {
  const uint8x16_t low = vdupq_n_u8(3);
  zero_lanes(a, count);
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    int8x16_t q[4];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) q[j] = vld1q_s8(values + j * n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) {
      uint8x16_t c = vld1q_u8(rows[r] + i);
      a[r] = dot_step(a[r], vandq_u8(c, low), q[0]);
      a[r] = dot_step(a[r], vandq_u8(vshrq_n_u8(c, 2), low), q[1]);
      a[r] = dot_step(a[r], vandq_u8(vshrq_n_u8(c, 4), low), q[2]);
      a[r] = dot_step(a[r], vshrq_n_u8(c, 6), q[3]);
    }
  }
}

/* Sixteen bits, each to a byte of ones or zeros. */
VIDX_INLINE int8x16_t bytes_of_bits(const uint8_t *bits) {
  const uint8x16_t bit = vcombine_u8(vcreate_u8(0x8040201008040201), vcreate_u8(0x8040201008040201));
  return vreinterpretq_s8_u8(vtstq_u8(vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1])), bit));
}

VIDX_INLINE void signs_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                             size_t n, lanes *a) {
  const uint8x16_t ones = vdupq_n_u8(1);
  zero_lanes(a, count);
  for (size_t i = 0; i < n; i += 2) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    int8x16_t q = vld1q_s8(values + 8 * i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r] = dot_step(a[r], ones, vandq_s8(bytes_of_bits(rows[r] + i), q));
  }
}

/* `values`: the planes of a query. Counts of the bits in each byte, times what their plane counts. */
VIDX_INLINE void planes_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                              size_t n, lanes *a) {
  const int8_t weights[4] = {1, 2, 4, -8};
  zero_lanes(a, count);
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    uint8x16_t planes[4];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) planes[j] = vreinterpretq_u8_s8(vld1q_s8(values + 4 * i + 16 * j));
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) {
      uint8x16_t c = vld1q_u8(rows[r] + i);
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; j++) a[r] = dot_step(a[r], vcntq_u8(vandq_u8(c, planes[j])), vdupq_n_s8(weights[j]));
    }
  }
}

#define VIDX_DOTS_ISA VIDX_NEON_ISA
#include "code_dots.h"

VIDX_INLINE void VIDX_DOTS(int8)(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                 int at_once, int32_t *dots) {
  dots_by(int8_lanes, query->values, rows, ahead, at_once, query->code_bytes, dots);
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) dots[r] += wide_correction((int32_t)query->sum);
}

VIDX_INLINE void VIDX_DOTS(bits)(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                 int at_once, int32_t *dots) {
  dots_by(planes_lanes, (const int8_t *)query->planes, rows, ahead, at_once, query->code_bytes, dots);
}

typedef float32x4_t (*half_step)(float32x4_t sum, float32x4_t q, float32x4_t v);

VIDX_INLINE float32x4_t neg_dot_half_step(float32x4_t sum, float32x4_t q, float32x4_t v) {
  return vfmsq_f32(sum, q, v);
}

VIDX_INLINE float32x4_t l2sq_half_step(float32x4_t sum, float32x4_t q, float32x4_t v) {
  float32x4_t d = vsubq_f32(q, v);
  return vfmaq_f32(sum, d, d);
}

VIDX_INLINE float32x4_t l1_half_step(float32x4_t sum, float32x4_t q, float32x4_t v) {
  return vaddq_f32(sum, vabdq_f32(q, v));
}

VIDX_INLINE float32x4_t abs_dot_half_step(float32x4_t sum, float32x4_t q, float32x4_t v) {
  return vaddq_f32(sum, vabsq_f32(vmulq_f32(q, v)));
}

VIDX_INLINE float32x4_t load_halves(const void *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }

/* Accumulator j takes halves 4 j..<4 j + 4 of every 16. */
VIDX_INLINE void VIDX_NEON(score_f16)(const float *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                      int count, size_t halves, float *out, half_step step) {
  float32x4_t a[4][4];
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r][0] = a[r][1] = a[r][2] = a[r][3] = vdupq_n_f32(0);
  for (size_t i = 0; i < halves; i += 16) {
    if (i % 32 == 0) vidx_prefetch_rows(ahead, count, 2 * i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      float32x4_t q = vld1q_f32(query + i + 4 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) a[r][j] = step(a[r][j], q, load_halves(rows[r] + 2 * i + 8 * j));
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++)
    out[r] = vaddvq_f32(vaddq_f32(vaddq_f32(a[r][0], a[r][1]), vaddq_f32(a[r][2], a[r][3])));
}

static void VIDX_NEON(to_half)(const float *x, size_t n, uint16_t *halves) {
  for (size_t i = 0; i < n; i += 4) vst1_u16(halves + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i))));
}

static void VIDX_NEON(from_half)(const uint16_t *halves, size_t n, float *x) {
  for (size_t i = 0; i < n; i += 4) vst1q_f32(x + i, load_halves(halves + i));
}

VIDX_ALL_ENTRY_POINTS(VIDX_NEON_ISA)
