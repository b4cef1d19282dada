#ifndef VIDX_CODE_HALF_H
#define VIDX_CODE_HALF_H

#include "code.h"
#include "f32.h"

/* Rows of halves and of floats behind the interface of codes. Each file code_<isa>.c defines, for the metrics' steps,
 *
 *     score_f16_<isa>(query, rows, ahead, count, halves, out, step)
 *
 * for `count` (a constant: 1 or 4) rows of `halves` (a multiple of 32) halves, and the step of abs_dot, the sum of
 * |q * v|, which bounds the error of a dot product. As with f32, scores differ between instruction sets by the order of
 * addition, and agree among all forms of one. */

typedef void (*vidx_score_f16)(const float *query, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                               size_t halves, float *out);

VIDX_INLINE void vidx_f16_block(vidx_score_f16 score, int at_once, const vidx_code_query *query,
                                const uint8_t *const *rows, const uint8_t *const *ahead, size_t count, float *out) {
  float scores[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r += at_once)
    score(query->floats, rows + r, ahead ? ahead + r : NULL, at_once, (query->dimensions + 31) & ~(size_t)31,
          scores + r);
  memcpy(out, scores, (count < 4 ? count : 4) * sizeof *out);
}

VIDX_INLINE void vidx_f16_ids_form(vidx_score_f16 score, const vidx_code_query *query, const uint8_t *base,
                                   size_t stride, const uint32_t *ids, size_t count, float *out) {
  for (size_t i = 0; i < count; i += 4) {
    const uint8_t *rows[4], *ahead[4];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) {
      rows[r] = base + ids[i + r < count ? i + r : count - 1] * stride;
      ahead[r] = base + ids[i + 4 + r < count ? i + 4 + r : count - 1] * stride;
    }
    vidx_f16_block(score, 4, query, rows, ahead, count - i, out + i);
  }
}

/* Row after row, as codes. */
VIDX_INLINE void vidx_f16_rows_form(vidx_score_f16 score, const vidx_code_query *query, const uint8_t *base,
                                    size_t stride, size_t count, float *out) {
  for (size_t i = 0; i < count; i += 4) {
    const uint8_t *rows[4];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) rows[r] = base + (i + r < count ? i + r : count - 1) * stride;
    vidx_f16_block(score, 1, query, rows, NULL, count - i, out + i);
  }
}

/* Bounds from the estimates, and for the dot product from the sums of |q * v| that `bounds` holds. The relative error
 * of a half is `error_scale`, the absolute one that denormals have is in `error_shift`. */
VIDX_INLINE void vidx_f16_dot_bounds(const vidx_code_query *query, size_t count, float *bounds) {
  for (size_t i = 0; i < count; i++) bounds[i] = (float)(query->error_scale * bounds[i] + query->error_constant);
}

VIDX_INLINE void vidx_f16_l2_bounds(const vidx_code_query *query, size_t count, const float *out, float *bounds) {
  for (size_t i = 0; i < count; i++) {
    const double root = __builtin_elementwise_sqrt((double)out[i]);
    const double t = query->error_shift + query->error_scale * root;
    bounds[i] = (float)(t * (2 * root + t) + query->error_rounding * out[i]);
  }
}

VIDX_INLINE void vidx_f16_l1_bounds(const vidx_code_query *query, size_t count, const float *out, float *bounds) {
  for (size_t i = 0; i < count; i++)
    bounds[i] = (float)(query->error_shift + (query->error_scale + query->error_rounding) * out[i]);
}

#define VIDX_F16_PLAIN_FORMS(metric, isa)                                                                              \
  VIDX_INLINE void metric##_score_f16_##isa(const float *query, const uint8_t *const *rows,                            \
                                            const uint8_t *const *ahead, int count, size_t halves, float *out) {       \
    score_f16_##isa(query, rows, ahead, count, halves, out, metric##_half_step);                                       \
  }                                                                                                                    \
  static void f16_##metric##_ids_##isa(const vidx_code_query *query, const void *base, size_t stride,                  \
                                       const uint32_t *ids, size_t count, float *out) {                                \
    vidx_f16_ids_form(metric##_score_f16_##isa, query, base, stride, ids, count, out);                                 \
  }                                                                                                                    \
  static void f16_##metric##_rows_##isa(const vidx_code_query *query, const void *rows, size_t stride, size_t count,   \
                                        float *out) {                                                                  \
    vidx_f16_rows_form(metric##_score_f16_##isa, query, rows, stride, count, out);                                     \
  }

#define VIDX_F16_BOUNDED_FORMS(metric, isa, bounds_of, ids_first, rows_first)                                          \
  static void f16_##metric##_bounded_ids_##isa(const vidx_code_query *query, const void *base, size_t stride,          \
                                               const uint32_t *ids, size_t count, float *out, float *bounds) {         \
    f16_##metric##_ids_##isa(query, base, stride, ids, count, out);                                                    \
    ids_first;                                                                                                         \
    bounds_of;                                                                                                         \
  }                                                                                                                    \
  static void f16_##metric##_bounded_rows_##isa(const vidx_code_query *query, const void *rows, size_t stride,         \
                                                size_t count, float *out, float *bounds) {                             \
    f16_##metric##_rows_##isa(query, rows, stride, count, out);                                                        \
    rows_first;                                                                                                        \
    bounds_of;                                                                                                         \
  }

/* The forms of f32 rows: those of f32.h, whose bounds are zero: the estimate is the score. */
#define VIDX_F32_AS_CODE(metric, isa)                                                                                  \
  static void f32_##metric##_ids_##isa(const vidx_code_query *query, const void *base, size_t stride,                  \
                                       const uint32_t *ids, size_t count, float *out) {                                \
    vidx_kernels_##isa.metric.ids(query->floats, base, stride / sizeof(float), ids, count, query->dimensions, out);    \
  }                                                                                                                    \
  static void f32_##metric##_rows_##isa(const vidx_code_query *query, const void *rows, size_t stride, size_t count,   \
                                        float *out) {                                                                  \
    vidx_kernels_##isa.metric.rows(query->floats, rows, stride / sizeof(float), count, query->dimensions, out);        \
  }                                                                                                                    \
  static void f32_##metric##_bounded_ids_##isa(const vidx_code_query *query, const void *base, size_t stride,          \
                                               const uint32_t *ids, size_t count, float *out, float *bounds) {         \
    f32_##metric##_ids_##isa(query, base, stride, ids, count, out);                                                    \
    memset(bounds, 0, count * sizeof *bounds);                                                                         \
  }                                                                                                                    \
  static void f32_##metric##_bounded_rows_##isa(const vidx_code_query *query, const void *rows, size_t stride,         \
                                                size_t count, float *out, float *bounds) {                             \
    f32_##metric##_rows_##isa(query, rows, stride, count, out);                                                        \
    memset(bounds, 0, count * sizeof *bounds);                                                                         \
  }

#define VIDX_FLOAT_ENTRY_POINTS(isa)                                                                                   \
  VIDX_F16_PLAIN_FORMS(neg_dot, isa)                                                                                   \
  VIDX_F16_PLAIN_FORMS(l2sq, isa)                                                                                      \
  VIDX_F16_PLAIN_FORMS(l1, isa)                                                                                        \
  VIDX_F16_PLAIN_FORMS(abs_dot, isa)                                                                                   \
  VIDX_F16_BOUNDED_FORMS(neg_dot, isa, vidx_f16_dot_bounds(query, count, bounds),                                      \
                         f16_abs_dot_ids_##isa(query, base, stride, ids, count, bounds),                               \
                         f16_abs_dot_rows_##isa(query, rows, stride, count, bounds))                                   \
  VIDX_F16_BOUNDED_FORMS(l2sq, isa, vidx_f16_l2_bounds(query, count, out, bounds), , )                                 \
  VIDX_F16_BOUNDED_FORMS(l1, isa, vidx_f16_l1_bounds(query, count, out, bounds), , )                                   \
  VIDX_F32_AS_CODE(neg_dot, isa)                                                                                       \
  VIDX_F32_AS_CODE(l2sq, isa)                                                                                          \
  VIDX_F32_AS_CODE(l1, isa)

/* All entry points of one instruction set. */
#define VIDX_ALL_ENTRY_POINTS(isa)                                                                                     \
  VIDX_CODE_ENTRY_POINTS(int8, 0, isa)                                                                                 \
  VIDX_CODE_ENTRY_POINTS(int4, 0, isa)                                                                                 \
  VIDX_CODE_ENTRY_POINTS(bits, 1, isa)                                                                                 \
  VIDX_REFINE_ENTRY_POINTS(isa)                                                                                        \
  VIDX_FLOAT_ENTRY_POINTS(isa)                                                                                         \
  VIDX_FIT_ENTRY_POINTS(isa)                                                                                           \
  VIDX_ROTATE_ENTRY_POINTS(isa)                                                                                        \
  VIDX_READ_ENTRY_POINT(isa)

#endif
