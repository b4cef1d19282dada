#ifndef VIDX_BYTES_PANEL_AVX512_H
#define VIDX_BYTES_PANEL_AVX512_H

#include <immintrin.h>

#include "bytes_panel.h"

/* Scores of eight rows against 48 columns at a time: 24 sums in registers, so that a product needs 11 loads for 24
 * multiplications, which is what the processor can do. Included by bytes.c, where the functions get their instruction
 * set. */
#pragma clang fp contract(off) reassociate(off)

/* Sixteen rows of sixteen words become sixteen columns. */
VIDX_INLINE void byte_transpose_avx512(__m512i *w) {
  __m512i t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(w[i], w[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(w[i], w[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    w[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    w[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    w[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    w[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(w[i], w[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4(w[i], w[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4(w[8 + i], w[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4(w[8 + i], w[12 + i], 0xdd);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    w[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
    w[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    w[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
    w[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
  }
}

/* Of 16 columns, four bytes of each follow another, signed: columns [16 b, 16 b + 16) from byte 16 * b * stride on. */
static void byte_pack_avx512(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                             vidx_byte_columns *columns) {
  const __m512i bias = _mm512_set1_epi8((char)0x80);
  vidx_byte_pack_factors(rows, ids, count, columns);
  for (size_t i = 0; i < count; i += 16) {
    uint8_t *block = columns->codes + i * rows->stride;
    for (size_t j = 0; j < rows->stride; j += 64) {
      __m512i w[16];
#pragma clang loop unroll(full)
      for (size_t r = 0; r < 16; r++) {
        const uint32_t id = ids[i + r < count ? i + r : count - 1];
        w[r] = _mm512_xor_si512(_mm512_loadu_si512(rows->codes + id * rows->stride + j), bias);
      }
      byte_transpose_avx512(w);
#pragma clang loop unroll(full)
      for (size_t r = 0; r < 16; r++) _mm512_store_si512(block + j * 16 + r * 64, w[r]);
    }
  }
}

/* Unsigned row bytes times signed column bytes: 128 times the column's sum too much. */
VIDX_INLINE void byte_tile_avx512(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                                  const vidx_byte_columns *columns, size_t first, const size_t blocks, float *out) {
  const size_t width = vidx_byte_width(columns->count), stride = rows->stride;
  const uint8_t *block = columns->codes + first * stride;
  const uint8_t *row[VIDX_BYTE_PANEL];
  __m512i a[VIDX_BYTE_PANEL][3];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < VIDX_BYTE_PANEL; r++) {
    row[r] = rows->codes + ids[r < count ? r : count - 1] * stride;
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++) a[r][b] = _mm512_setzero_si512();
  }
  for (size_t i = 0; i < stride; i += 4) {
    __m512i column[3];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++) column[b] = _mm512_load_si512(block + b * 16 * stride + i * 16);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < VIDX_BYTE_PANEL; r++) {
      int32_t four;
      memcpy(&four, row[r] + i, 4);
      const __m512i q = _mm512_set1_epi32(four);
#pragma clang loop unroll(full)
      for (size_t b = 0; b < blocks; b++) a[r][b] = _mm512_dpbusd_epi32(a[r][b], q, column[b]);
    }
  }
#pragma clang loop unroll(full)
  for (size_t r = 0; r < VIDX_BYTE_PANEL; r++) {
    const vidx_byte_tail tail = rows->tails[ids[r < count ? r : count - 1]];
    const __m512 add = _mm512_set1_ps(tail.add), scale = _mm512_set1_ps(tail.scale);
    const __mmask16 is_asked = r < count ? 0xffff : 0;
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++) {
      const size_t at = first + b * 16;
      const __m512 dots = _mm512_cvtepi32_ps(_mm512_sub_epi32(a[r][b], _mm512_loadu_si512(columns->sums + at)));
      const __m512 product = _mm512_mul_ps(_mm512_mul_ps(scale, _mm512_loadu_ps(columns->scales + at)), dots);
      const __m512 scores = _mm512_sub_ps(_mm512_add_ps(add, _mm512_loadu_ps(columns->adds + at)), product);
      _mm512_mask_storeu_ps(out + r * width + at, is_asked, scores);
    }
  }
}

static void byte_panel_avx512(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                              const vidx_byte_columns *columns, float *out) {
  const size_t width = vidx_byte_width(columns->count);
  size_t i = 0;
  for (; i + 48 <= width; i += 48) byte_tile_avx512(rows, ids, count, columns, i, 3, out);
  if (i + 32 <= width)
    byte_tile_avx512(rows, ids, count, columns, i, 2, out);
  else if (i < width)
    byte_tile_avx512(rows, ids, count, columns, i, 1, out);
}

VIDX_INLINE uint32_t scores_within_avx512(const float *scores, float bound) {
  return _mm512_cmp_ps_mask(_mm512_loadu_ps(scores), _mm512_set1_ps(bound), _CMP_LE_OQ);
}
VIDX_BYTE_NEAREST_ENTRY(avx512, scores_within_avx512)

#endif
