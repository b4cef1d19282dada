#ifndef VIDX_POOL_H
#define VIDX_POOL_H

#include <string.h>

#include "CVidxBytes.h"
#include "CVidxKernels.h"

/* Merging candidates into a sorted pool, for every instruction set without a form of its own. Searches, whose pools
 * have no bound, insert in place instead (candidates.c says what either costs).
 *
 * From one pool into another: shifting within one would read words that were just written at another offset, which
 * processors wait for. Few branches depend on the scores: half of them would be mispredicted. */

typedef float vidx_float_lanes __attribute__((vector_size(64), aligned(4)));
typedef uint32_t vidx_word_lanes __attribute__((vector_size(64), aligned(4)));

/* Copies `count` candidates, and up to VIDX_POOL_SLACK that follow. */
VIDX_INLINE void vidx_copy_candidates(const float *scores, const uint32_t *ids, size_t count, float *to_scores,
                                      uint32_t *to_ids) {
  for (size_t i = 0; i < count; i += 16) {
    *(vidx_float_lanes *)(to_scores + i) = *(const vidx_float_lanes *)(scores + i);
    *(vidx_word_lanes *)(to_ids + i) = *(const vidx_word_lanes *)(ids + i);
  }
}

/* Keeps the candidates below `bound`, in order. Writes one more. */
VIDX_INLINE size_t vidx_near_candidates(const float *scores, const uint32_t *ids, size_t count, float bound,
                                        float *near_scores, uint32_t *near_ids) {
  size_t kept = 0;
  for (size_t j = 0; j < count; j++) {
    near_scores[kept] = scores[j], near_ids[kept] = ids[j];
    kept += scores[j] < bound;
  }
  return kept;
}

/* Sorts in place, equal scores in order of arrival. */
VIDX_INLINE void vidx_sort_candidates(float *scores, uint32_t *ids, size_t count) {
  for (size_t j = 1; j < count; j++) {
    const float score = scores[j];
    const uint32_t id = ids[j];
    size_t i = j;
    for (; i > 0 && scores[i - 1] > score; i--) scores[i] = scores[i - 1], ids[i] = ids[i - 1];
    scores[i] = score, ids[i] = id;
  }
}

/* How many scores are at most `score`: counted, since a binary search would be mispredicted at every other step. */
VIDX_INLINE size_t vidx_pool_place(const float *scores, size_t count, float score) {
  int32_t before = 0; /* as wide as a float, for the vectoriser */
  for (size_t i = 0; i < count; i++) before += scores[i] <= score;
  return (size_t)before;
}

VIDX_INLINE size_t vidx_pool_merge_form(const vidx_pool *pool, size_t *pool_count, size_t limit, const float *scores,
                                        const uint32_t *ids, size_t offered, const vidx_pool *merged) {
  float near_scores[VIDX_POOL_BLOCK + 1];
  uint32_t near_ids[VIDX_POOL_BLOCK + 1];
  const size_t count = *pool_count;
  const float bound = count == limit ? pool->scores[limit - 1] : __builtin_inff();
  const size_t near = vidx_near_candidates(scores, ids, offered, bound, near_scores, near_ids);
  if (near == 0) return limit;
  vidx_sort_candidates(near_scores, near_ids, near);
  const size_t total = count + near < limit ? count + near : limit;
  const size_t first = vidx_pool_place(pool->scores, count, near_scores[0]);
  size_t from = 0, to = 0;
  for (size_t j = 0; j < near && to < total; j++) {
    const size_t place = j == 0 ? first : vidx_pool_place(pool->scores, count, near_scores[j]);
    const size_t moved = place - from < total - to ? place - from : total - to;
    vidx_copy_candidates(pool->scores + from, pool->ids + from, moved, merged->scores + to, merged->ids + to);
    from += moved, to += moved;
    if (to == total) break;
    merged->scores[to] = near_scores[j], merged->ids[to] = near_ids[j];
    to++;
  }
  vidx_copy_candidates(pool->scores + from, pool->ids + from, total - to, merged->scores + to, merged->ids + to);
  *pool_count = total;
  return first;
}

#define VIDX_POOL_MERGE(isa)                                                                                           \
  static size_t pool_merge_##isa(const vidx_pool *pool, size_t *count, size_t limit, const float *scores,              \
                                 const uint32_t *ids, size_t offered, const vidx_pool *merged) {                       \
    return vidx_pool_merge_form(pool, count, limit, scores, ids, offered, merged);                                     \
  }

#endif
