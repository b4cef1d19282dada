#if defined(__x86_64__)

#include <immintrin.h>

#include "code.h"

/* One-bit codes where the CPU counts bits in vectors: the kernels that take the place of AVX-512's own. */
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512vl,avx512vpopcntdq"))), apply_to = function)

VIDX_INLINE __m128i load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

/* Sixteen bytes of two rows. No row has to be padded to a vector, and sums of two rows take the adding up of one. */
VIDX_INLINE __m256i two_rows(const uint8_t *low, const uint8_t *high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(low)), load16(high), 1);
}

/* What the planes' counts of a pair make, rows in its halves. */
VIDX_INLINE __m256i weighed(const __m256i counts[4]) {
  __m256i high = _mm256_sub_epi64(counts[2], _mm256_add_epi64(counts[3], counts[3]));
  __m256i low = _mm256_add_epi64(counts[0], _mm256_add_epi64(counts[1], counts[1]));
  return _mm256_add_epi64(low, _mm256_slli_epi64(high, 2));
}

VIDX_INLINE void bits_dots_popcount(const vidx_code_query *query, const uint8_t *const *rows,
                                    const uint8_t *const *ahead, int at_once, int32_t *dots) {
  const size_t n = query->code_bytes;
  const uint8_t *planes = query->planes;
  __m256i counts[2][4];
  (void)at_once;
#pragma clang loop unroll(full)
  for (int plane = 0; plane < 4; plane++) counts[0][plane] = counts[1][plane] = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, 4, i);
    __m256i first = two_rows(rows[0] + i, rows[1] + i), second = two_rows(rows[2] + i, rows[3] + i);
#pragma clang loop unroll(full)
    for (int plane = 0; plane < 4; plane++) {
      __m256i q = _mm256_broadcastsi128_si256(load16(planes + 4 * i + 16 * plane));
      counts[0][plane] = _mm256_add_epi64(counts[0][plane], _mm256_popcnt_epi64(_mm256_and_si256(first, q)));
      counts[1][plane] = _mm256_add_epi64(counts[1][plane], _mm256_popcnt_epi64(_mm256_and_si256(second, q)));
    }
  }
  __m256i a = weighed(counts[0]), b = weighed(counts[1]);
  __m256i sums = _mm256_add_epi64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)); /* rows 0, 2 | 1, 3 */
  __m256i ordered = _mm256_permutevar8x32_epi32(sums, _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0));
  _mm_storeu_si128((__m128i *)(void *)dots, _mm256_castsi256_si128(ordered));
}

VIDX_CODE_ENTRY_POINTS(bits, 1, popcount)

#include "code_blocks.h"

/* Rows are in the lanes: counts add up in place. */
VIDX_INLINE void bits_of_block(const vidx_code_query *query, const uint8_t *block, int32_t *dots) {
  __m512i counts[4];
#pragma clang loop unroll(full)
  for (int plane = 0; plane < 4; plane++) counts[plane] = _mm512_setzero_si512();
  for (size_t i = 0; i < query->code_bytes; i += 4) {
    const __m512i c = _mm512_loadu_si512(block + VIDX_BLOCK_ROWS * i);
    const uint8_t *words = query->planes + i / 16 * 64 + i % 16;
#pragma clang loop unroll(full)
    for (int plane = 0; plane < 4; plane++) {
      int32_t word;
      memcpy(&word, words + 16 * plane, sizeof word);
      __m512i common = _mm512_and_si512(c, _mm512_set1_epi32(word));
      counts[plane] = _mm512_add_epi32(counts[plane], _mm512_popcnt_epi32(common));
    }
  }
  __m512i high = _mm512_sub_epi32(counts[2], _mm512_add_epi32(counts[3], counts[3]));
  __m512i low = _mm512_add_epi32(counts[0], _mm512_add_epi32(counts[1], counts[1]));
  _mm512_store_si512(dots, _mm512_add_epi32(low, _mm512_slli_epi32(high, 2)));
}

/* Nothing is gained by several at once: what is loaded is the least of it. */
VIDX_INLINE void bits_block_dots_popcount(const vidx_code_query *const *queries, int query_count, const uint8_t *block,
                                          size_t block_bytes, int block_count, int32_t (*dots)[VIDX_BLOCK_ROWS]) {
  for (int b = 0; b < block_count; b++)
    for (int q = 0; q < query_count; q++)
      bits_of_block(queries[q], block + (size_t)b * block_bytes, dots[b * query_count + q]);
}

VIDX_BLOCK_ENTRY_POINT(bits, 1, popcount)

#pragma clang attribute pop

const vidx_code_blocks vidx_bits_blocks_popcount = bits_blocks_popcount;
const vidx_code_kernels vidx_bits_popcount = VIDX_CODE_KERNELS(bits, popcount);

#endif
