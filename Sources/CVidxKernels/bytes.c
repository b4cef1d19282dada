#include "bytes.h"

#include <math.h>
#include <string.h>

#include "bytes_panel.h"
#include "pool.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

static void byte_dots_scalar(const uint8_t *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                             size_t stride, int32_t sum, int32_t *dots) {
  (void)ahead, (void)sum;
  for (int r = 0; r < 4; r++) {
    dots[r] = 0;
    for (size_t i = 0; i < stride; i++) dots[r] += ((int32_t)query[i] - 128) * ((int32_t)rows[r][i] - 128);
  }
}

VIDX_POOL_MERGE(scalar)
VIDX_BYTE_PANELS(scalar)
VIDX_BYTES_TABLE(scalar)

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

VIDX_INLINE __m256i signed_words(const uint8_t *p, __m128i bias) {
  return _mm256_cvtepi8_epi16(_mm_xor_si128(_mm_loadu_si128((const __m128i *)p), bias));
}

VIDX_INLINE void byte_dots_avx2(const uint8_t *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                size_t stride, int32_t sum, int32_t *dots) {
  const __m128i bias = _mm_set1_epi8((char)0x80);
  __m256i a[4];
  (void)sum;
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) a[r] = _mm256_setzero_si256();
  for (size_t i = 0; i < stride; i += 16) {
    const __m256i q = signed_words(query + i, bias);
#pragma clang loop unroll(full)
    for (int r = 0; r < 4; r++) {
      if (ahead && i % 64 == 0) __builtin_prefetch(ahead[r] + i);
      a[r] = _mm256_add_epi32(a[r], _mm256_madd_epi16(q, signed_words(rows[r] + i, bias)));
    }
  }
  const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(a[0], a[1]), _mm256_hadd_epi32(a[2], a[3]));
  _mm_storeu_si128((__m128i *)dots, _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
}

VIDX_POOL_MERGE(avx2)
VIDX_BYTE_PANELS(avx2)
VIDX_BYTES_TABLE(avx2)
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,popcnt"))),          \
                             apply_to = function)

#include "pool_avx512.h"

/* Unsigned row bytes times signed query bytes: 128 times the query's sum too much. */
VIDX_INLINE void byte_dots_avx512(const uint8_t *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  size_t stride, int32_t sum, int32_t *dots) {
  const __m512i bias = _mm512_set1_epi8((char)0x80);
  __m512i a[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) a[r] = _mm512_setzero_si512();
  for (size_t i = 0; i < stride; i += 64) {
    const __m512i q = _mm512_xor_si512(_mm512_loadu_si512(query + i), bias);
#pragma clang loop unroll(full)
    for (int r = 0; r < 4; r++) {
      if (ahead) __builtin_prefetch(ahead[r] + i);
      a[r] = _mm512_dpbusd_epi32(a[r], _mm512_loadu_si512(rows[r] + i), q);
    }
  }
  __m256i h[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++)
    h[r] = _mm256_add_epi32(_mm512_castsi512_si256(a[r]), _mm512_extracti64x4_epi64(a[r], 1));
  const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(h[0], h[1]), _mm256_hadd_epi32(h[2], h[3]));
  const __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  _mm_storeu_si128((__m128i *)dots, _mm_sub_epi32(t, _mm_set1_epi32(sum)));
}

#include "bytes_panel_avx512.h"

VIDX_BYTES_TABLE(avx512)
#pragma clang attribute pop
#elif defined(__aarch64__)
VIDX_INLINE void byte_dots_neon(const uint8_t *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                size_t stride, int32_t sum, int32_t *dots) {
  const uint8x16_t bias = vdupq_n_u8(0x80);
  int32x4_t a[4];
  (void)sum;
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) a[r] = vdupq_n_s32(0);
  for (size_t i = 0; i < stride; i += 16) {
    const int8x16_t q = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(query + i), bias));
#pragma clang loop unroll(full)
    for (int r = 0; r < 4; r++) {
      if (ahead && i % 64 == 0) __builtin_prefetch(ahead[r] + i);
      const int8x16_t v = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(rows[r] + i), bias));
      a[r] = vpadalq_s16(a[r], vmull_s8(vget_low_s8(q), vget_low_s8(v)));
      a[r] = vpadalq_s16(a[r], vmull_high_s8(q, v));
    }
  }
  vst1q_s32(dots, vpaddq_s32(vpaddq_s32(a[0], a[1]), vpaddq_s32(a[2], a[3])));
}

VIDX_POOL_MERGE(neon)
VIDX_BYTE_PANELS(neon)
VIDX_BYTES_TABLE(neon)
#endif

static const vidx_bytes *bytes_of(const vidx_kernels *kernels) {
#if defined(__x86_64__)
  if (strcmp(kernels->isa, "avx512") == 0)
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni")
               ? &bytes_avx512
               : &bytes_avx2;
  if (strcmp(kernels->isa, "avx2") == 0) return &bytes_avx2;
#elif defined(__aarch64__)
  if (strcmp(kernels->isa, "neon") == 0) return &bytes_neon;
#endif
  (void)kernels;
  return &bytes_scalar;
}

const vidx_bytes *vidx_bytes_active(void) { return bytes_of(vidx_kernels_active()); }

const vidx_bytes *vidx_bytes_named(const char *isa) {
  const vidx_kernels *kernels = vidx_kernels_named(isa);
  return kernels ? bytes_of(kernels) : NULL;
}

double vidx_byte_encode(const float *vector, const float *centre, size_t n, size_t stride, double factor,
                        uint8_t *codes, float *scale, int32_t *sum, double *error) {
  float largest = 0;
  for (size_t i = 0; i < n; i++) {
    const float size = fabsf(vector[i] - centre[i]);
    largest = size > largest ? size : largest;
  }
  const float step = largest >= 0x1p-120f ? largest / 127 : 0;
  const float inverse = step > 0 ? 1 / step : 0;
  int32_t total = 0;
  double norm = 0, rest = 0;
  for (size_t i = 0; i < n; i++) {
    const float x = vector[i] - centre[i];
    const float scaled = x * inverse;
    int32_t v = (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
    v = v > 127 ? 127 : v < -127 ? -127 : v;
    const double difference = (double)x - (double)step * v;
    codes[i] = (uint8_t)(v + 128);
    total += v;
    norm += (double)x * x;
    rest += difference * difference;
  }
  memset(codes + n, 128, stride - n);
  *scale = (float)(step * factor);
  *sum = 128 * total;
  *error = rest;
  return norm;
}
