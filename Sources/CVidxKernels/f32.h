#ifndef VIDX_F32_H
#define VIDX_F32_H

#include "CVidxKernels.h"
#include "candidates.h"
#include "sgemm.h"

/* What the files f32_<isa>.c share: the batch loops, and the tables they export.
 *
 * A pair (query, vector) has one score per instruction set, to the last bit, whichever of one, four, rows and ids
 * computed it: every form adds the same terms into the same accumulators in the same order. Ties between duplicates
 * and the comparison of results across paths rest on this.
 *
 * Each file defines, for its metrics' steps (sum, q, v) -> sum,
 *
 *     score_f32_<isa>(query, vectors, ahead, count, n, out, step)
 *
 * which scores `count` vectors (a constant: 1 or 4) in one pass over the query. While it reads vectors[r] it
 * prefetches the same part of ahead[r], by vidx_prefetch_ahead; `ahead` NULL: prefetch nothing. */

typedef void (*vidx_score_ahead_f32)(const float *query, const float *const *vectors, const float *const *ahead,
                                     size_t n, float *out);

/* Measured on random rows of 512 to 6144 bytes, out of cache: asking for the next block at the pace at which this one
 * is read beats a burst of prefetches before each block (the miss buffers fill up and stall the loads) and fetching
 * the first lines only. After 1.5 KiB of a row the hardware prefetcher needs no help. */
enum { VIDX_PREFETCHED_FLOATS = 384 };

/* Prefetches the lines of floats i..<i + floats of ahead[0..<count]. */
VIDX_INLINE void vidx_prefetch_ahead(const float *const *ahead, int count, size_t i, int floats) {
  if (!ahead || i >= VIDX_PREFETCHED_FLOATS) return;
#pragma clang loop unroll(full)
  for (int j = 0; j < floats; j += 16) {
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++) __builtin_prefetch(ahead[r] + i + j);
  }
}

/* Row by row, and no prefetch: one stream runs nearer to the memory's bandwidth than four, and the hardware follows it.
 * Asking for 1 to 2 KiB ahead took 10 to 30 % off. */
VIDX_INLINE void vidx_rows_f32(vidx_score_one_f32 one, const float *query, const float *rows, size_t stride,
                               size_t count, size_t n, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = one(query, rows + i * stride, n);
}

/* In blocks of four, whose cache misses overlap. */
VIDX_INLINE void vidx_ids_f32(vidx_score_one_f32 one, vidx_score_ahead_f32 four, const float *query, const float *base,
                              size_t stride, const uint32_t *ids, size_t count, size_t n, float *out) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float *rows[4], *ahead[4];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) {
      rows[r] = base + ids[i + r] * stride;
      ahead[r] = base + ids[i + 4 + r < count ? i + 4 + r : count - 1] * stride;
    }
    four(query, rows, ahead, n, out + i);
  }
  for (; i < count; i++) out[i] = one(query, base + ids[i] * stride, n);
}

/* The entry points of one metric. */
#define VIDX_F32_ENTRY_POINTS(metric, isa)                                                                             \
  static void metric##_four_ahead_f32_##isa(const float *query, const float *const *vectors,                           \
                                            const float *const *ahead, size_t n, float *out) {                         \
    score_f32_##isa(query, vectors, ahead, 4, n, out, metric##_step);                                                  \
  }                                                                                                                    \
  static float metric##_one_f32_##isa(const float *query, const float *vector, size_t n) {                             \
    float score;                                                                                                       \
    score_f32_##isa(query, &vector, NULL, 1, n, &score, metric##_step);                                                \
    return score;                                                                                                      \
  }                                                                                                                    \
  static void metric##_four_f32_##isa(const float *query, const float *v0, const float *v1, const float *v2,           \
                                      const float *v3, size_t n, float *out) {                                         \
    const float *const vectors[4] = {v0, v1, v2, v3};                                                                  \
    score_f32_##isa(query, vectors, NULL, 4, n, out, metric##_step);                                                   \
  }                                                                                                                    \
  static void metric##_rows_f32_##isa(const float *query, const float *rows, size_t stride, size_t count, size_t n,    \
                                      float *out) {                                                                    \
    vidx_rows_f32(metric##_one_f32_##isa, query, rows, stride, count, n, out);                                         \
  }                                                                                                                    \
  static void metric##_ids_f32_##isa(const float *query, const float *base, size_t stride, const uint32_t *ids,        \
                                     size_t count, size_t n, float *out) {                                             \
    vidx_ids_f32(metric##_one_f32_##isa, metric##_four_ahead_f32_##isa, query, base, stride, ids, count, n, out);      \
  }

#define VIDX_F32_METRIC(metric, isa)                                                                                   \
  {                                                                                                                    \
    .one = metric##_one_f32_##isa, .four = metric##_four_f32_##isa, .rows = metric##_rows_f32_##isa,                   \
    .ids = metric##_ids_f32_##isa                                                                                      \
  }

#define VIDX_F32_TABLE(name)                                                                                           \
  {                                                                                                                    \
    .isa = #name, .neg_dot = VIDX_F32_METRIC(neg_dot, name), .l2sq = VIDX_F32_METRIC(l2sq, name),                      \
    .l1 = VIDX_F32_METRIC(l1, name), .sgemm_nt = vidx_sgemm_nt_##name,                                                 \
    .insert_candidates = vidx_insert_candidates_##name                                                                 \
  }

extern const vidx_kernels vidx_kernels_scalar;
#if defined(__x86_64__)
extern const vidx_kernels vidx_kernels_avx2;
extern const vidx_kernels vidx_kernels_avx512;
#elif defined(__aarch64__)
extern const vidx_kernels vidx_kernels_neon;
#endif

#endif
