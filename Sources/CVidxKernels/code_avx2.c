#if defined(__x86_64__)

#include <immintrin.h>

#include "code.h"
#include "code_half.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "code_fit.h"
#include "code_planes.h"
#include "code_read.h"
#include "code_rotate.h"

typedef __m256i lanes;

VIDX_INLINE void sums_of(const lanes a[4], int32_t *sums) {
  __m256i c = _mm256_hadd_epi32(_mm256_hadd_epi32(a[0], a[1]), _mm256_hadd_epi32(a[2], a[3]));
  _mm_storeu_si128((__m128i *)sums, _mm_add_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1)));
}

VIDX_INLINE __m128i load16(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
VIDX_INLINE __m256i load32(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

/* The last sixteen bytes, in the lower half. */
VIDX_INLINE __m256i load16_of_32(const void *p) { return _mm256_zextsi128_si256(load16(p)); }

/* vpmaddubsw saturates with codes of eight bits, so both sides are widened. */
VIDX_INLINE void int8_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                            size_t n, lanes *a) {
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r] = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    __m256i q = _mm256_cvtepi8_epi16(load16(values + i));
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++)
      a[r] = _mm256_add_epi32(a[r], _mm256_madd_epi16(_mm256_cvtepu8_epi16(load16(rows[r] + i)), q));
  }
}

/* Products of four bits by seven fit sixteen bits, also two of them (3810), and the two halves of a byte (7620). */
VIDX_INLINE __m256i halves_step(__m256i sum, __m256i c, __m256i q0, __m256i q1) {
  const __m256i low = _mm256_set1_epi8(15);
  __m256i p0 = _mm256_maddubs_epi16(_mm256_and_si256(c, low), q0);
  __m256i p1 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(c, 4), low), q1);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(p0, p1), _mm256_set1_epi16(1)));
}

VIDX_INLINE void halves_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                              size_t n, lanes *a) {
  size_t i = 0;
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r] = _mm256_setzero_si256();
  for (; i + 32 <= n; i += 32) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    __m256i q0 = load32(values + i), q1 = load32(values + n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r] = halves_step(a[r], load32(rows[r] + i), q0, q1);
  }
  if (i < n) {
    vidx_prefetch_rows(ahead, count, i);
    __m256i q0 = load16_of_32(values + i), q1 = load16_of_32(values + n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r] = halves_step(a[r], load16_of_32(rows[r] + i), q0, q1);
  }
}

VIDX_INLINE __m256i quarters_step(__m256i sum, __m256i c, const __m256i q[4]) {
  const __m256i low = _mm256_set1_epi8(3);
  __m256i p0 = _mm256_maddubs_epi16(_mm256_and_si256(c, low), q[0]);
  __m256i p1 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(c, 2), low), q[1]);
  __m256i p2 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(c, 4), low), q[2]);
  __m256i p3 = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(c, 6), low), q[3]);
  p0 = _mm256_add_epi16(_mm256_add_epi16(p0, p1), _mm256_add_epi16(p2, p3));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(p0, _mm256_set1_epi16(1)));
}

VIDX_INLINE void quarters_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead,
                                int count, size_t n, lanes *a) {
  __m256i q[4];
  size_t i = 0;
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r] = _mm256_setzero_si256();
  for (; i + 32 <= n; i += 32) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) q[j] = load32(values + j * n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r] = quarters_step(a[r], load32(rows[r] + i), q);
  }
  if (i < n) {
    vidx_prefetch_rows(ahead, count, i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) q[j] = load16_of_32(values + j * n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) a[r] = quarters_step(a[r], load16_of_32(rows[r] + i), q);
  }
}

/* 32 bits, each to a byte of ones or zeros. */
VIDX_INLINE __m256i bytes_of_bits(const uint8_t *bits) {
  const __m256i source = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201);
  int32_t word;
  memcpy(&word, bits, sizeof word);
  __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(word), source);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

VIDX_INLINE void signs_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                             size_t n, lanes *a) {
  const __m256i byte_ones = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r] = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 8) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
    __m256i q0 = load32(values + 8 * i), q1 = load32(values + 8 * i + 32);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) {
      __m256i p0 = _mm256_maddubs_epi16(byte_ones, _mm256_and_si256(bytes_of_bits(rows[r] + i), q0));
      __m256i p1 = _mm256_maddubs_epi16(byte_ones, _mm256_and_si256(bytes_of_bits(rows[r] + i + 4), q1));
      a[r] = _mm256_add_epi32(a[r], _mm256_madd_epi16(_mm256_add_epi16(p0, p1), ones));
    }
  }
}

#define VIDX_DOTS_ISA avx2
#include "code_dots.h"

VIDX_INLINE void int8_dots_avx2(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                int at_once, int32_t *dots) {
  dots_by(int8_lanes, query->values, rows, ahead, at_once, query->code_bytes, dots);
}

VIDX_INLINE void bits_dots_avx2(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                int at_once, int32_t *dots) {
  (void)at_once;
  vidx_plane_dots(query->planes, rows, ahead, query->code_bytes, dots);
}

typedef __m256 (*half_step)(__m256 sum, __m256 q, __m256 v);

VIDX_INLINE __m256 neg_dot_half_step(__m256 sum, __m256 q, __m256 v) { return _mm256_fnmadd_ps(q, v, sum); }

VIDX_INLINE __m256 l2sq_half_step(__m256 sum, __m256 q, __m256 v) {
  __m256 d = _mm256_sub_ps(q, v);
  return _mm256_fmadd_ps(d, d, sum);
}

VIDX_INLINE __m256 abs_of(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

VIDX_INLINE __m256 l1_half_step(__m256 sum, __m256 q, __m256 v) {
  return _mm256_add_ps(sum, abs_of(_mm256_sub_ps(q, v)));
}

VIDX_INLINE __m256 abs_dot_half_step(__m256 sum, __m256 q, __m256 v) {
  return _mm256_add_ps(sum, abs_of(_mm256_mul_ps(q, v)));
}

VIDX_INLINE float float_sum_of(__m256 s) {
  __m128 u = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  u = _mm_add_ps(u, _mm_movehl_ps(u, u));
  return _mm_cvtss_f32(_mm_add_ss(u, _mm_movehdup_ps(u)));
}

/* One or two rows. Accumulator j takes halves 8 j..<8 j + 8 of every 32. */
VIDX_INLINE void score_pass(const float *query, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                            size_t halves, float *out, half_step step) {
  __m256 a[2][4];
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r][0] = a[r][1] = a[r][2] = a[r][3] = _mm256_setzero_ps();
  for (size_t i = 0; i < halves; i += 32) {
    vidx_prefetch_rows(ahead, count, 2 * i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      __m256 q = _mm256_loadu_ps(query + i + 8 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) a[r][j] = step(a[r][j], q, _mm256_cvtph_ps(load16(rows[r] + 2 * i + 16 * j)));
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++)
    out[r] = float_sum_of(_mm256_add_ps(_mm256_add_ps(a[r][0], a[r][1]), _mm256_add_ps(a[r][2], a[r][3])));
}

/* Two by two, which leaves registers for what is loaded. */
VIDX_INLINE void score_f16_avx2(const float *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                int count, size_t halves, float *out, half_step step) {
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r += 2)
    score_pass(query, rows + r, ahead ? ahead + r : NULL, count == 1 ? 1 : 2, halves, out + r, step);
}

static void to_half_avx2(const float *x, size_t n, uint16_t *halves) {
  for (size_t i = 0; i < n; i += 8)
    _mm_storeu_si128((__m128i *)(void *)(halves + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
}

static void from_half_avx2(const uint16_t *halves, size_t n, float *x) {
  for (size_t i = 0; i < n; i += 8) _mm256_storeu_ps(x + i, _mm256_cvtph_ps(load16(halves + i)));
}

VIDX_ALL_ENTRY_POINTS(avx2)

#pragma clang attribute pop

const vidx_codes vidx_codes_avx2 = VIDX_CODE_TABLE(avx2, "avx2", );

#endif
