#ifndef VIDX_F32_H
#define VIDX_F32_H

#include "CVidxKernels.h"

/* What the files f32_<isa>.c share: the batch loops, and the tables they export.
 *
 * A pair (query, vector) has one score per instruction set, to the last bit, whichever of one, four, rows and ids
 * computed it: every form adds the same terms into the same four accumulators in the same order. Ties between
 * duplicates and the comparison of results across paths rest on this. */

#define VIDX_INLINE static inline __attribute__((always_inline))

/* The hardware prefetcher follows a row once its first lines are asked for. */
enum { VIDX_CACHE_LINE = 64, VIDX_ROWS_AHEAD = 4 };

VIDX_INLINE void vidx_prefetch_row(const float *row, size_t n) {
  const char *bytes = (const char *)row;
  for (size_t offset = 0; offset < n * sizeof(float); offset += VIDX_CACHE_LINE) __builtin_prefetch(bytes + offset);
}

VIDX_INLINE void vidx_rows_f32(vidx_score_one_f32 one, vidx_score_four_f32 four, const float *query, const float *rows,
                               size_t stride, size_t count, size_t n, float *out) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float *row = rows + i * stride;
    four(query, row, row + stride, row + 2 * stride, row + 3 * stride, n, out + i);
  }
  for (; i < count; i++) out[i] = one(query, rows + i * stride, n);
}

VIDX_INLINE void vidx_ids_f32(vidx_score_one_f32 one, vidx_score_four_f32 four, const float *query, const float *base,
                              size_t stride, const uint32_t *ids, size_t count, size_t n, float *out) {
  for (size_t i = 0; i < VIDX_ROWS_AHEAD && i < count; i++) vidx_prefetch_row(base + ids[i] * stride, n);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (size_t j = i + VIDX_ROWS_AHEAD; j < i + VIDX_ROWS_AHEAD + 4 && j < count; j++)
      vidx_prefetch_row(base + ids[j] * stride, n);
    four(query, base + ids[i] * stride, base + ids[i + 1] * stride, base + ids[i + 2] * stride,
         base + ids[i + 3] * stride, n, out + i);
  }
  for (; i < count; i++) out[i] = one(query, base + ids[i] * stride, n);
}

/* The entry points of one metric: needs score_one_f32_<isa>, score_four_f32_<isa> and <metric>_step of the file. */
#define VIDX_F32_ENTRY_POINTS(metric, isa)                                                                             \
  static float metric##_one_f32_##isa(const float *query, const float *vector, size_t n) {                             \
    return score_one_f32_##isa(query, vector, n, metric##_step);                                                       \
  }                                                                                                                    \
  static void metric##_four_f32_##isa(const float *query, const float *v0, const float *v1, const float *v2,           \
                                      const float *v3, size_t n, float *out) {                                         \
    score_four_f32_##isa(query, (const float *const[]){v0, v1, v2, v3}, n, out, metric##_step);                        \
  }                                                                                                                    \
  static void metric##_rows_f32_##isa(const float *query, const float *rows, size_t stride, size_t count, size_t n,    \
                                      float *out) {                                                                    \
    vidx_rows_f32(metric##_one_f32_##isa, metric##_four_f32_##isa, query, rows, stride, count, n, out);                \
  }                                                                                                                    \
  static void metric##_ids_f32_##isa(const float *query, const float *base, size_t stride, const uint32_t *ids,        \
                                     size_t count, size_t n, float *out) {                                             \
    vidx_ids_f32(metric##_one_f32_##isa, metric##_four_f32_##isa, query, base, stride, ids, count, n, out);            \
  }

#define VIDX_F32_METRIC(metric, isa)                                                                                   \
  {                                                                                                                    \
    .one = metric##_one_f32_##isa, .four = metric##_four_f32_##isa, .rows = metric##_rows_f32_##isa,                   \
    .ids = metric##_ids_f32_##isa                                                                                      \
  }

#define VIDX_F32_TABLE(name)                                                                                           \
  {                                                                                                                    \
    .isa = #name, .neg_dot = VIDX_F32_METRIC(neg_dot, name), .l2sq = VIDX_F32_METRIC(l2sq, name),                      \
    .l1 = VIDX_F32_METRIC(l1, name)                                                                                    \
  }

extern const vidx_kernels vidx_kernels_scalar;
#if defined(__x86_64__)
extern const vidx_kernels vidx_kernels_avx2;
extern const vidx_kernels vidx_kernels_avx512;
#elif defined(__aarch64__)
extern const vidx_kernels vidx_kernels_neon;
#endif

#endif
