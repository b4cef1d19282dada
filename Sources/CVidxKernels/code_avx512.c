#if defined(__x86_64__)

#include <immintrin.h>

#include "code.h"
#include "code_half.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), \
                             apply_to = function)

#include "code_blocks.h"
#include "code_fit.h"
#include "code_planes.h"
#include "code_read.h"
#include "code_rotate.h"

typedef __m512i lanes;

VIDX_INLINE void sums_of(const lanes a[4], int32_t *sums) {
  __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(a[0], a[1]), _mm512_unpackhi_epi32(a[0], a[1]));
  __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2], a[3]), _mm512_unpackhi_epi32(a[2], a[3]));
  __m512i d = _mm512_add_epi32(_mm512_unpacklo_epi64(b, c), _mm512_unpackhi_epi64(b, c));
  __m256i e = _mm256_add_epi32(_mm512_castsi512_si256(d), _mm512_extracti64x4_epi64(d, 1));
  _mm_storeu_si128((__m128i *)sums, _mm_add_epi32(_mm256_castsi256_si128(e), _mm256_extracti128_si256(e, 1)));
}

VIDX_INLINE __mmask64 first_bytes(size_t count) { return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1; }

/* vpdpbusd takes four cycles and can begin every cycle: one chain a row of four side by side, two of one alone. */
#define VIDX_ZERO_ACCUMULATORS(a)                                                                                      \
  __m512i a[4][2];                                                                                                     \
  _Pragma("clang loop unroll(full)") for (int r = 0; r < count; r++) a[r][0] = a[r][1] = _mm512_setzero_si512()

VIDX_INLINE void int8_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                            size_t n, lanes *out) {
  VIDX_ZERO_ACCUMULATORS(a);
  size_t i = 0;
  for (; i + 128 <= n; i += 128) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      const int chain = count == 1 ? j : 0;
      vidx_prefetch_rows(ahead, count, i + 64 * j);
      __m512i q = _mm512_loadu_si512(values + i + 64 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++)
        a[r][chain] = _mm512_dpbusd_epi32(a[r][chain], _mm512_loadu_si512(rows[r] + i + 64 * j), q);
    }
  }
  for (; i < n; i += 64) {
    vidx_prefetch_rows(ahead, count, i);
    __mmask64 mask = first_bytes(n - i);
    __m512i q = _mm512_loadu_si512(values + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++)
      a[r][0] = _mm512_dpbusd_epi32(a[r][0], _mm512_maskz_loadu_epi8(mask, rows[r] + i), q);
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = count == 1 ? _mm512_add_epi32(a[r][0], a[r][1]) : a[r][0];
}

/* The high halves are left where they are, sixteen times as much, and so is their sum: exactly. */
VIDX_INLINE void halves_step(__m512i a[2], __m512i c, __m512i q0, __m512i q1) {
  const __m512i low = _mm512_set1_epi8(15);
  a[0] = _mm512_dpbusd_epi32(a[0], _mm512_and_si512(c, low), q0);
  a[1] = _mm512_dpbusd_epi32(a[1], _mm512_andnot_si512(low, c), q1);
}

VIDX_INLINE void halves_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                              size_t n, lanes *out) {
  VIDX_ZERO_ACCUMULATORS(a);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    vidx_prefetch_rows(ahead, count, i);
    __m512i q0 = _mm512_loadu_si512(values + i), q1 = _mm512_loadu_si512(values + n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) halves_step(a[r], _mm512_loadu_si512(rows[r] + i), q0, q1);
  }
  if (i < n) {
    vidx_prefetch_rows(ahead, count, i);
    __mmask64 mask = first_bytes(n - i);
    __m512i q0 = _mm512_loadu_si512(values + i), q1 = _mm512_loadu_si512(values + n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) halves_step(a[r], _mm512_maskz_loadu_epi8(mask, rows[r] + i), q0, q1);
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = _mm512_add_epi32(a[r][0], _mm512_srai_epi32(a[r][1], 4));
}

/* Quarters 1 and 3 are left where a shift by four bits puts them, four times as much. */
VIDX_INLINE void quarters_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead,
                                int count, size_t n, lanes *out) {
  const __m512i low = _mm512_set1_epi8(3), next = _mm512_set1_epi8(12);
  VIDX_ZERO_ACCUMULATORS(a);
  for (size_t i = 0; i < n; i += 64) {
    vidx_prefetch_rows(ahead, count, i);
    __mmask64 mask = first_bytes(n - i);
    __m512i q[4];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) q[j] = _mm512_loadu_si512(values + j * n + i);
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) {
      __m512i c = _mm512_maskz_loadu_epi8(mask, rows[r] + i), d = _mm512_srli_epi16(c, 4);
      a[r][0] = _mm512_dpbusd_epi32(a[r][0], _mm512_and_si512(c, low), q[0]);
      a[r][1] = _mm512_dpbusd_epi32(a[r][1], _mm512_and_si512(c, next), q[1]);
      a[r][0] = _mm512_dpbusd_epi32(a[r][0], _mm512_and_si512(d, low), q[2]);
      a[r][1] = _mm512_dpbusd_epi32(a[r][1], _mm512_and_si512(d, next), q[3]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = _mm512_add_epi32(a[r][0], _mm512_srai_epi32(a[r][1], 2));
}

/* 64 dimensions a word: a bit lets its query byte through. */
VIDX_INLINE void signs_lanes(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                             size_t n, lanes *out) {
  const __m512i ones = _mm512_set1_epi8(1);
  VIDX_ZERO_ACCUMULATORS(a);
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, count, i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      __m512i q = _mm512_loadu_si512(values + 8 * i + 64 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) {
        uint64_t word;
        memcpy(&word, rows[r] + i + 8 * j, sizeof word);
        a[r][0] = _mm512_dpbusd_epi32(a[r][0], ones, _mm512_maskz_mov_epi8((__mmask64)word, q));
      }
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) out[r] = a[r][0];
}

#define VIDX_DOTS_ISA avx512
#include "code_dots.h"

VIDX_INLINE void int8_dots_avx512(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  int at_once, int32_t *dots) {
  dots_by(int8_lanes, query->values, rows, ahead, at_once, query->code_bytes, dots);
}

VIDX_INLINE void bits_dots_avx512(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  int at_once, int32_t *dots) {
  (void)at_once;
  vidx_plane_dots(query->planes, rows, ahead, query->code_bytes, dots);
}

typedef __m512 (*half_step)(__m512 sum, __m512 q, __m512 v);

VIDX_INLINE __m512 neg_dot_half_step(__m512 sum, __m512 q, __m512 v) { return _mm512_fnmadd_ps(q, v, sum); }

VIDX_INLINE __m512 l2sq_half_step(__m512 sum, __m512 q, __m512 v) {
  __m512 d = _mm512_sub_ps(q, v);
  return _mm512_fmadd_ps(d, d, sum);
}

VIDX_INLINE __m512 l1_half_step(__m512 sum, __m512 q, __m512 v) {
  return _mm512_add_ps(sum, _mm512_abs_ps(_mm512_sub_ps(q, v)));
}

VIDX_INLINE __m512 abs_dot_half_step(__m512 sum, __m512 q, __m512 v) {
  return _mm512_add_ps(sum, _mm512_abs_ps(_mm512_mul_ps(q, v)));
}

VIDX_INLINE float float_sum_of(__m512 s) {
  __m256 t = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
  __m128 u = _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
  u = _mm_add_ps(u, _mm_movehl_ps(u, u));
  return _mm_cvtss_f32(_mm_add_ss(u, _mm_movehdup_ps(u)));
}

/* Accumulator j takes halves 16 j..<16 j + 16 of every 64; the last 32, if they are alone, go to 0 and 1. */
VIDX_INLINE void score_f16_avx512(const float *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  int count, size_t halves, float *out, half_step step) {
  __m512 a[4][4];
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) a[r][0] = a[r][1] = a[r][2] = a[r][3] = _mm512_setzero_ps();
  for (size_t i = 0; i < halves; i += 64) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      if (j == 2 && i + 64 > halves) break;
      if (j % 2 == 0) vidx_prefetch_rows(ahead, count, 2 * i + 32 * j);
      __m512 q = _mm512_loadu_ps(query + i + 16 * j);
#pragma clang loop unroll(full)
      for (int r = 0; r < count; r++) {
        __m256i half = _mm256_loadu_si256((const __m256i *)(rows[r] + 2 * i + 32 * j));
        a[r][j] = step(a[r][j], q, _mm512_cvtph_ps(half));
      }
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++)
    out[r] = float_sum_of(_mm512_add_ps(_mm512_add_ps(a[r][0], a[r][1]), _mm512_add_ps(a[r][2], a[r][3])));
}

static void to_half_avx512(const float *x, size_t n, uint16_t *halves) {
  for (size_t i = 0; i < n; i += 16)
    _mm256_storeu_si256((__m256i *)(void *)(halves + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
}

static void from_half_avx512(const uint16_t *halves, size_t n, float *x) {
  for (size_t i = 0; i < n; i += 16)
    _mm512_storeu_ps(x + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(halves + i))));
}

/* The four bytes of a query that go with word w. */
VIDX_INLINE __m512i word_of(const int8_t *values, size_t w) {
  int32_t word;
  memcpy(&word, values + 4 * w, sizeof word);
  return _mm512_set1_epi32(word);
}

/* Two sums for each block of each query: a vpdpbusd that waits for the one before takes four cycles. */
#define VIDX_ZERO_TILE(tile)                                                                                           \
  __m512i tile[VIDX_BLOCKS_AT_ONCE * VIDX_BLOCK_SCANS][2];                                                             \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < block_count * query_count; i++) tile[i][0] = tile[i][1] =     \
      _mm512_setzero_si512()

VIDX_INLINE void int8_block_dots_avx512(const vidx_code_query *const *queries, int query_count, const uint8_t *block,
                                        size_t block_bytes, int block_count, int32_t (*dots)[VIDX_BLOCK_ROWS]) {
  VIDX_ZERO_TILE(a);
  const size_t words = queries[0]->code_bytes / 4;
  for (size_t w = 0; w < words; w += 2)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 2; j++)
#pragma clang loop unroll(full)
      for (int b = 0; b < block_count; b++) {
        const __m512i c = _mm512_loadu_si512(block + (size_t)b * block_bytes + 64 * (w + j));
#pragma clang loop unroll(full)
        for (int q = 0; q < query_count; q++) {
          __m512i *sum = &a[b * query_count + q][j];
          *sum = _mm512_dpbusd_epi32(*sum, c, word_of(queries[q]->values, w + j));
        }
      }
#pragma clang loop unroll(full)
  for (int i = 0; i < block_count * query_count; i++)
    _mm512_store_si512(dots[i], _mm512_add_epi32(a[i][0], a[i][1]));
}

/* The high halves are left where they are, as in halves_step. */
VIDX_INLINE void int4_block_dots_avx512(const vidx_code_query *const *queries, int query_count, const uint8_t *block,
                                        size_t block_bytes, int block_count, int32_t (*dots)[VIDX_BLOCK_ROWS]) {
  VIDX_ZERO_TILE(a);
  const __m512i low = _mm512_set1_epi8(15);
  const size_t n = queries[0]->code_bytes;
  for (size_t w = 0; w < n / 4; w++)
#pragma clang loop unroll(full)
    for (int b = 0; b < block_count; b++) {
      const __m512i c = _mm512_loadu_si512(block + (size_t)b * block_bytes + 64 * w);
      const __m512i c0 = _mm512_and_si512(c, low), c1 = _mm512_andnot_si512(low, c);
#pragma clang loop unroll(full)
      for (int q = 0; q < query_count; q++) {
        __m512i *sums = a[b * query_count + q];
        sums[0] = _mm512_dpbusd_epi32(sums[0], c0, word_of(queries[q]->values, w));
        sums[1] = _mm512_dpbusd_epi32(sums[1], c1, word_of(queries[q]->values + n, w));
      }
    }
#pragma clang loop unroll(full)
  for (int i = 0; i < block_count * query_count; i++)
    _mm512_store_si512(dots[i], _mm512_add_epi32(a[i][0], _mm512_srai_epi32(a[i][1], 4)));
}

VIDX_ALL_ENTRY_POINTS(avx512)
VIDX_BLOCK_ENTRY_POINT(int8, 0, avx512)
VIDX_BLOCK_ENTRY_POINT(int4, 0, avx512)

#pragma clang attribute pop

const vidx_codes vidx_codes_avx512 = VIDX_CODE_TABLE(avx512, "avx512+vnni", .int8_blocks = int8_blocks_avx512,
                                                     .int4_blocks = int4_blocks_avx512);

#endif
