#include "candidates.h"

#include <math.h>
#include <string.h>

#include "CVidxKernels.h"

/* The candidate pool of a graph search, of any size (k goes up to a million), for blocks of any size, in place.
 *
 * What costs in it are branches that no CPU can predict (does this score enter, and where?), so the vector forms count
 * instead of searching: the place of a score is how many of the pool are not above it.
 *
 * Builds have another (pool.h), for small, bounded pools and blocks. It merges a block into a second pool, which for
 * 16 to 200 candidates takes about 0.7 of the time of this on AVX-512 and as long on AVX2; but it copies the whole pool
 * for each block that has a near candidate. */

/* The first index in low..<high whose score is above `score`. */
static size_t place_between(const float *scores, float score, size_t low, size_t high) {
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (scores[middle] <= score)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Room at `place` by moving what is behind; the last of a full pool drops out. */
VIDX_INLINE void put(float *scores, uint32_t *tags, size_t *count, size_t capacity, size_t place, float score,
                     uint32_t tag) {
  size_t kept = *count < capacity ? (*count)++ : capacity - 1;
  memmove(scores + place + 1, scores + place, (kept - place) * sizeof *scores);
  memmove(tags + place + 1, tags + place, (kept - place) * sizeof *tags);
  scores[place] = score;
  tags[place] = tag;
}

size_t vidx_insert_candidates_scalar(float *scores, uint32_t *tags, size_t *count, size_t capacity, const float *block,
                              const uint32_t *ids, size_t n) {
  size_t lowest = capacity;
  for (size_t i = 0; i < n; i++) {
    if (*count == capacity && !(block[i] < scores[capacity - 1])) continue;
    size_t place = place_between(scores, block[i], 0, *count);
    put(scores, tags, count, capacity, place, block[i], ids[i]);
    if (place < lowest) lowest = place;
  }
  return lowest;
}

#if defined(__aarch64__)
size_t vidx_insert_candidates_neon(float *scores, uint32_t *tags, size_t *count, size_t capacity, const float *block,
                            const uint32_t *ids, size_t n) {
  return vidx_insert_candidates_scalar(scores, tags, count, capacity, block, ids, n);
}
#endif

#if defined(__x86_64__)

#include <immintrin.h>

/* Counting beats halving up to here. */
enum { COUNTED = 256 };

/* Narrows to at most COUNTED scores, beginning at a multiple of 16, so that no count reads far. */
static size_t start_of_count(const float *scores, float score, size_t count) {
  size_t low = 0, high = count;
  while (high - low > COUNTED) {
    size_t middle = ((low + high) / 2) & ~(size_t)15;
    if (scores[middle] <= score)
      low = middle;
    else
      high = middle;
  }
  return low;
}

#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)

/* The pool's arrays have 16 elements of room behind `capacity`; what is there is masked off. */
static size_t place_avx512(const float *scores, size_t count, float score) {
  const __m512 limit = _mm512_set1_ps(score);
  size_t place = count > COUNTED ? start_of_count(scores, score, count) : 0;
  for (size_t i = place; i < count; i += 16) {
    __mmask16 valid = count - i >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << (count - i)) - 1);
    int below = __builtin_popcount(_mm512_mask_cmp_ps_mask(valid, _mm512_loadu_ps(scores + i), limit, _CMP_LE_OQ));
    place += (size_t)below;
    if (below < 16) break;
  }
  return place;
}

static void put_avx512(float *scores, uint32_t *tags, size_t *count, size_t capacity, size_t place, float score,
                       uint32_t tag) {
  size_t end = *count < capacity ? (*count)++ : capacity - 1;
  for (; end >= place + 16; end -= 16) {
    __m512i s = _mm512_loadu_si512(scores + end - 16), t = _mm512_loadu_si512(tags + end - 16);
    _mm512_storeu_si512(scores + end - 15, s);
    _mm512_storeu_si512(tags + end - 15, t);
  }
  __mmask16 rest = (__mmask16)((1u << (end - place)) - 1);
  __m512i s = _mm512_maskz_loadu_epi32(rest, scores + place), t = _mm512_maskz_loadu_epi32(rest, tags + place);
  _mm512_mask_storeu_epi32(scores + place + 1, rest, s);
  _mm512_mask_storeu_epi32(tags + place + 1, rest, t);
  scores[place] = score;
  tags[place] = tag;
}

size_t vidx_insert_candidates_avx512(float *scores, uint32_t *tags, size_t *count, size_t capacity, const float *block,
                              const uint32_t *ids, size_t n) {
  size_t lowest = capacity;
  for (size_t i = 0; i < n; i += 16) {
    float worst = *count == capacity ? scores[capacity - 1] : INFINITY;
    __mmask16 valid = n - i >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << (n - i)) - 1);
    __m512 s = _mm512_maskz_loadu_ps(valid, block + i);
    unsigned entering = _mm512_mask_cmp_ps_mask(valid, s, _mm512_set1_ps(worst), _CMP_LT_OQ);
    while (entering) {
      size_t j = i + (size_t)__builtin_ctz(entering);
      entering &= entering - 1;
      size_t place = place_avx512(scores, *count, block[j]);
      if (place >= capacity) continue; /* the pool has become nearer since it was asked */
      put_avx512(scores, tags, count, capacity, place, block[j], ids[j]);
      if (place < lowest) lowest = place;
    }
  }
  return lowest;
}

#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,popcnt"))), apply_to = function)

static size_t place_avx2(const float *scores, size_t count, float score) {
  const __m256 limit = _mm256_set1_ps(score);
  size_t i = count > COUNTED ? start_of_count(scores, score, count) : 0;
  for (; i + 8 <= count; i += 8) {
    int below = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(scores + i), limit, _CMP_LE_OQ));
    if (below != 0xFF) return i + (size_t)__builtin_popcount((unsigned)below);
  }
  while (i < count && scores[i] <= score) i++;
  return i;
}

size_t vidx_insert_candidates_avx2(float *scores, uint32_t *tags, size_t *count, size_t capacity, const float *block,
                            const uint32_t *ids, size_t n) {
  size_t lowest = capacity;
  for (size_t i = 0; i < n; i++) {
    if (*count == capacity && !(block[i] < scores[capacity - 1])) continue;
    size_t place = place_avx2(scores, *count, block[i]);
    put(scores, tags, count, capacity, place, block[i], ids[i]);
    if (place < lowest) lowest = place;
  }
  return lowest;
}

#pragma clang attribute pop
#endif
