#ifndef VIDX_BYTES_H
#define VIDX_BYTES_H

#include "CVidxBytes.h"
#include "CVidxKernels.h"

/* What the instruction sets of bytes.c share. Each defines
 *
 *     byte_dots_<isa>(query, rows, ahead, stride, sum, dots)
 *
 * the products of signed bytes, query . row, of four rows, fetching as much of ahead[0..<4] as it reads; NULL: none. */
#pragma clang fp contract(off) reassociate(off)

typedef void (*vidx_byte_dots)(const uint8_t *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                               size_t stride, int32_t sum, int32_t *dots);

/* Rows that are fetched ahead: enough to hide memory behind the work on four, few enough for the miss buffers. */
enum { VIDX_BYTE_ROWS_AHEAD = 8 };

/* Rows ids[0..<count], at most four, from the one at `ahead_of` on fetched when there are any. */
VIDX_INLINE void vidx_byte_block(vidx_byte_dots dots_of, const vidx_byte_rows *rows, size_t query, const uint32_t *ids,
                                 size_t count, const uint32_t *next_ids, size_t next_count, float *out) {
  const vidx_byte_tail tail = rows->tails[query];
  const uint8_t *four[4], *ahead[4];
  int32_t dots[4];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < 4; r++) four[r] = rows->codes + ids[r < count ? r : count - 1] * rows->stride;
  if (next_count > 0) {
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) {
      const uint32_t next = next_ids[r < next_count ? r : next_count - 1];
      ahead[r] = rows->codes + next * rows->stride;
      __builtin_prefetch(rows->tails + next);
    }
    dots_of(rows->codes + query * rows->stride, four, ahead, rows->stride, rows->sums[query], dots);
  } else {
    dots_of(rows->codes + query * rows->stride, four, NULL, rows->stride, rows->sums[query], dots);
  }
  for (size_t r = 0; r < count && r < 4; r++) {
    const vidx_byte_tail other = rows->tails[ids[r]];
    out[r] = (tail.add + other.add) - (tail.scale * other.scale) * (float)dots[r];
  }
}

VIDX_INLINE void vidx_byte_scores_form(vidx_byte_dots dots_of, const vidx_byte_rows *rows, size_t query,
                                       const uint32_t *ids, size_t count, float *out) {
  const size_t early = count < VIDX_BYTE_ROWS_AHEAD ? count : VIDX_BYTE_ROWS_AHEAD;
  for (size_t i = 4; i < early; i++) {
    __builtin_prefetch(rows->tails + ids[i]);
    for (size_t j = 0; j < rows->stride && j < 512; j += 64)
      __builtin_prefetch(rows->codes + ids[i] * rows->stride + j);
  }
  for (size_t i = 0; i < count; i += 4) {
    const size_t next = i + VIDX_BYTE_ROWS_AHEAD;
    vidx_byte_block(dots_of, rows, query, ids + i, count - i, ids + next, next < count ? count - next : 0, out + i);
  }
}

/* The entry points of an instruction set, which has a pool_merge_<isa> and what bytes_panel.h asks for too. */
#define VIDX_BYTES_TABLE(name)                                                                                         \
  static void byte_scores_##name(const vidx_byte_rows *rows, size_t query, const uint32_t *ids, size_t count,          \
                                 float *out) {                                                                         \
    vidx_byte_scores_form(byte_dots_##name, rows, query, ids, count, out);                                             \
  }                                                                                                                    \
  static const vidx_bytes bytes_##name = {.isa = #name, .scores = byte_scores_##name, .merge = pool_merge_##name, \
                                          .pack = byte_pack_##name, .panel = byte_panel_##name,                        \
                                          .nearest = byte_nearest_##name};

#endif
