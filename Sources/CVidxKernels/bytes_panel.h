#ifndef VIDX_BYTES_PANEL_H
#define VIDX_BYTES_PANEL_H

#include <string.h>

#include "bytes.h"

/* Scoring many rows of bytes against many, and the nearest of each: a matrix product without the matrix.
 *
 * These are the forms for every instruction set without one of its own. */
#pragma clang fp contract(off) reassociate(off)

VIDX_INLINE size_t vidx_byte_width(size_t count) {
  return (count + VIDX_BYTE_WIDTH - 1) / VIDX_BYTE_WIDTH * VIDX_BYTE_WIDTH;
}

/* What goes beside the codes: column i gets the row's factors, those that fill up an infinite score. */
VIDX_INLINE void vidx_byte_pack_factors(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                                        vidx_byte_columns *columns) {
  columns->count = count;
  for (size_t i = 0; i < vidx_byte_width(count); i++) {
    columns->adds[i] = i < count ? rows->tails[ids[i]].add : __builtin_inff();
    columns->scales[i] = i < count ? rows->tails[ids[i]].scale : 0;
    columns->sums[i] = i < count ? rows->sums[ids[i]] : 0;
  }
}

VIDX_INLINE void vidx_byte_pack_form(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                                     vidx_byte_columns *columns) {
  vidx_byte_pack_factors(rows, ids, count, columns);
  for (size_t i = 0; i < vidx_byte_width(count); i++) {
    uint8_t *column = columns->codes + i * rows->stride;
    if (i < count)
      memcpy(column, rows->codes + ids[i] * rows->stride, rows->stride);
    else
      memset(column, 128, rows->stride);
  }
}

VIDX_INLINE void vidx_byte_panel_form(vidx_byte_dots dots_of, const vidx_byte_rows *rows, const uint32_t *ids,
                                      size_t count, const vidx_byte_columns *columns, float *out) {
  const size_t width = vidx_byte_width(columns->count);
  for (size_t i = 0; i < width; i += 4) {
    const uint8_t *four[4];
    for (size_t j = 0; j < 4; j++) four[j] = columns->codes + (i + j) * rows->stride;
    for (size_t r = 0; r < count; r++) {
      const vidx_byte_tail tail = rows->tails[ids[r]];
      int32_t dots[4];
      dots_of(rows->codes + ids[r] * rows->stride, four, NULL, rows->stride, rows->sums[ids[r]], dots);
      for (size_t j = 0; j < 4; j++) {
        const float scale = tail.scale * columns->scales[i + j];
        out[r * width + i + j] = (tail.add + columns->adds[i + j]) - scale * (float)dots[j];
      }
    }
  }
}

/* Which of sixteen scores are at most `bound`, a bit each. */
VIDX_INLINE uint32_t vidx_scores_within(const float *scores, float bound) {
  uint32_t within = 0;
  for (uint32_t j = 0; j < 16; j++) within |= (uint32_t)(scores[j] <= bound) << j;
  return within;
}

/* Puts a score among the least `k`, sorted; of equal ones the first stay first. Returns how many there are then. */
VIDX_INLINE size_t vidx_keep_least(float score, uint32_t place, float *least, uint32_t *places, size_t kept, size_t k) {
  if (kept == k && !(score < least[k - 1])) return kept;
  size_t i = kept < k ? kept : k - 1;
  for (; i > 0 && least[i - 1] > score; i--) least[i] = least[i - 1], places[i] = places[i - 1];
  least[i] = score, places[i] = place;
  return kept < k ? kept + 1 : k;
}

/* The k-th least of 32 scores: the most of those that less than k are below. Without a branch on a score. */
VIDX_INLINE float vidx_least_of_parts(const float *scores, size_t k) {
  float least = -__builtin_inff();
  for (size_t i = 0; i < 32; i++) {
    int32_t below = 0; /* as wide as a float, for the vectoriser */
    for (size_t j = 0; j < 32; j++) below += scores[j] < scores[i];
    const float score = below < (int32_t)k ? scores[i] : least;
    least = score > least ? score : least;
  }
  return least;
}

/* The minima of 32 parts are 32 of the scores, so the k-th least of them bounds the k-th least of all: few others are
 * within it, and only these are sorted. */
VIDX_INLINE size_t vidx_byte_nearest_form(uint32_t (*within_of)(const float *, float), const float *scores,
                                          size_t count, size_t k, uint32_t *places) {
  float minima[32], least[VIDX_BYTE_NEAREST];
  for (size_t j = 0; j < 32; j++) minima[j] = j < count ? scores[j] : __builtin_inff();
  size_t i = 32;
  for (; i + 32 <= count; i += 32)
    for (size_t j = 0; j < 32; j++) minima[j] = scores[i + j] < minima[j] ? scores[i + j] : minima[j];
  for (size_t j = 0; i + j < count; j++) minima[j] = scores[i + j] < minima[j] ? scores[i + j] : minima[j];
  const float bound = vidx_least_of_parts(minima, k);
  size_t kept = 0;
  for (i = 0; i < count; i += 16) {
    for (uint32_t within = within_of(scores + i, bound); within != 0; within &= within - 1) {
      const uint32_t j = (uint32_t)__builtin_ctz(within);
      if (scores[i + j] < __builtin_inff())
        kept = vidx_keep_least(scores[i + j], (uint32_t)i + j, least, places, kept, k);
    }
  }
  return kept;
}

#define VIDX_BYTE_NEAREST_ENTRY(isa, within_of)                                                                        \
  static size_t byte_nearest_##isa(const float *scores, size_t count, size_t k, uint32_t *places) {                    \
    return vidx_byte_nearest_form(within_of, scores, count, k, places);                                                \
  }

#define VIDX_BYTE_PANELS(isa)                                                                                          \
  static void byte_pack_##isa(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,                           \
                              vidx_byte_columns *columns) {                                                            \
    vidx_byte_pack_form(rows, ids, count, columns);                                                                    \
  }                                                                                                                    \
  static void byte_panel_##isa(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,                          \
                               const vidx_byte_columns *columns, float *out) {                                         \
    vidx_byte_panel_form(byte_dots_##isa, rows, ids, count, columns, out);                                             \
  }                                                                                                                    \
  VIDX_BYTE_NEAREST_ENTRY(isa, vidx_scores_within)

#endif
