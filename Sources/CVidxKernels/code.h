#ifndef VIDX_CODE_H
#define VIDX_CODE_H

#include <string.h>

#include "CVidxKernels.h"

/* What the files code_<isa>.c share: the batch loops over coded rows, and the tables they export.
 *
 * Each file defines the integer dot products of a prepared query with four rows' codes,
 *
 *     <code>_dots_<isa>(query, rows, ahead, at_once, dots)
 *
 * which reads `at_once` (a constant: 1 or 4) rows side by side and prefetches the part of ahead[r], if there is any,
 * that corresponds to what it reads of rows[r]. What is made of the dots here is the same everywhere, to the bit:
 * double precision, one order, nothing fused. */
#pragma clang fp contract(off) reassociate(off)

/* Wide vectors are handed from function to function, all of which are inlined: no calling convention is concerned. */
#pragma clang diagnostic ignored "-Wpsabi"

typedef float vidx_f32x4 __attribute__((vector_size(16)));
typedef double vidx_f64x4 __attribute__((vector_size(32)));
typedef int32_t vidx_i32x4 __attribute__((vector_size(16)));

typedef void (*vidx_code_dots)(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                               int at_once, int32_t *dots);

/* The tail of a row of codes: code bytes, rounded up to 16, are followed by these. */
enum { VIDX_TAIL_BYTES = 16 };

VIDX_INLINE size_t vidx_padded16(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

/* The line of ahead[0..<count] at byte i; `ahead` NULL: none. */
VIDX_INLINE void vidx_prefetch_rows(const uint8_t *const *ahead, int count, size_t i) {
  if (!ahead) return;
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) __builtin_prefetch(ahead[r] + i);
}

/* The bounds on four estimates; `is_coarse` (a constant): of one-bit rows, for whose codes `scale` is half the root of
 * the sum of squares, but for a factor. */
VIDX_INLINE void vidx_bound_four(const vidx_code_query *query, int is_coarse, vidx_f64x4 estimate, vidx_f64x4 add,
                                 vidx_f64x4 scale, vidx_f32x4 error, float *bounds) {
  const vidx_f64x4 zero = {0};
  vidx_f64x4 t = __builtin_convertvector(error, vidx_f64x4) + query->error_shift, bound;
  if (is_coarse) {
    vidx_f64x4 lost = t * query->error_scale, lost_of_query = scale * query->error_spread;
    bound = __builtin_elementwise_sqrt(lost * lost + lost_of_query * lost_of_query);
  } else {
    vidx_f64x4 root = __builtin_elementwise_sqrt(__builtin_elementwise_max(estimate + query->root_shift, zero));
    bound = t * (query->error_scale + query->error_root * root + query->error_square * t);
  }
  vidx_f64x4 magnitude = __builtin_elementwise_abs(add) + __builtin_elementwise_abs(estimate);
  bound += query->error_constant + query->error_rounding * magnitude;
  vidx_f32x4 rounded = __builtin_convertvector(bound, vidx_f32x4);
  memcpy(bounds, &rounded, sizeof rounded);
}

/* The estimates of four rows from their dots and tails; `bounds` NULL: none. */
VIDX_INLINE void vidx_estimate_four(const vidx_code_query *query, int is_coarse, const int32_t *dots,
                                    const uint8_t *const *tails, float *out, float *bounds) {
  const double query_sum = is_coarse ? query->coarse_sum : query->sum;
  const double query_scale = is_coarse ? query->coarse_scale : query->scale;
  vidx_f32x4 t[4];
  vidx_i32x4 integers;
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) memcpy(&t[r], tails[r], sizeof t[r]);
  memcpy(&integers, dots, sizeof integers);
  vidx_f32x4 low01 = __builtin_shufflevector(t[0], t[1], 0, 4, 1, 5); /* add, add, scale, scale */
  vidx_f32x4 low23 = __builtin_shufflevector(t[2], t[3], 0, 4, 1, 5);
  vidx_f32x4 high01 = __builtin_shufflevector(t[0], t[1], 2, 6, 3, 7); /* offset, offset, error, error */
  vidx_f32x4 high23 = __builtin_shufflevector(t[2], t[3], 2, 6, 3, 7);
  vidx_f64x4 add = __builtin_convertvector(__builtin_shufflevector(low01, low23, 0, 1, 4, 5), vidx_f64x4);
  vidx_f64x4 scale = __builtin_convertvector(__builtin_shufflevector(low01, low23, 2, 3, 6, 7), vidx_f64x4);
  vidx_f64x4 offset = __builtin_convertvector(__builtin_shufflevector(high01, high23, 0, 1, 4, 5), vidx_f64x4);

  vidx_f64x4 product = scale * __builtin_convertvector(integers, vidx_f64x4) + offset * query_sum;
  vidx_f64x4 estimate = (query->constant + add) + product * query_scale;
  vidx_f32x4 rounded = __builtin_convertvector(estimate, vidx_f32x4);
  memcpy(out, &rounded, sizeof rounded);
  if (bounds)
    vidx_bound_four(query, is_coarse, estimate, add, scale, __builtin_shufflevector(high01, high23, 2, 3, 6, 7),
                    bounds);
}

/* One block: dots, then estimates; the last block of a batch repeats a row and writes `count` of four results.
 * `at_once` rows (1 or 4) are read side by side. */
VIDX_INLINE void vidx_code_block(vidx_code_dots dots_of, int is_coarse, int at_once, const vidx_code_query *query,
                                 const uint8_t *const *rows, const uint8_t *const *ahead, size_t count, float *out,
                                 float *bounds) {
  const size_t tail = query->code_bytes;
  const uint8_t *tails[4];
  int32_t dots[4];
  float estimates[4], four_bounds[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) tails[r] = rows[r] + tail;
  vidx_prefetch_rows(ahead, 4, tail + VIDX_TAIL_BYTES - 1);
  dots_of(query, rows, ahead, at_once, dots);
  if (count >= 4) {
    vidx_estimate_four(query, is_coarse, dots, tails, out, bounds);
    return;
  }
  vidx_estimate_four(query, is_coarse, dots, tails, estimates, bounds ? four_bounds : NULL);
  memcpy(out, estimates, count * sizeof *out);
  if (bounds) memcpy(bounds, four_bounds, count * sizeof *bounds);
}

/* How many rows ahead to prefetch: the next four, or eight of one or two lines. Measured out of cache on lists of 12
 * and 32 ids: more rows of several lines cost up to a fifth, since their prefetches delay the first block's loads. */
VIDX_INLINE size_t vidx_rows_ahead(size_t stride) { return stride > 128 ? 4 : 8; }

VIDX_INLINE void vidx_code_ids_form(vidx_code_dots dots, int is_coarse, const vidx_code_query *query,
                                    const uint8_t *base, size_t stride, const uint32_t *ids, size_t count, float *out,
                                    float *bounds) {
  const size_t distance = vidx_rows_ahead(stride);
  for (size_t i = 4; i < distance && i < count; i++)
    for (size_t j = 0; j < stride; j += 64) __builtin_prefetch(base + ids[i] * stride + j);
  for (size_t i = 0; i < count; i += 4) {
    const uint8_t *rows[4], *ahead[4];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) {
      rows[r] = base + ids[i + r < count ? i + r : count - 1] * stride;
      ahead[r] = base + ids[i + distance + r < count ? i + distance + r : count - 1] * stride;
    }
    vidx_code_block(dots, is_coarse, 4, query, rows, ahead, count - i, out + i, bounds ? bounds + i : NULL);
  }
}

/* No prefetch: the hardware follows one stream at the memory's bandwidth. Measured out of cache: with four rows of a
 * kilobyte side by side a third to a half of it, with prefetches at any distance two thirds to nine tenths. */
VIDX_INLINE void vidx_code_rows_loop(vidx_code_dots dots, int is_coarse, int at_once, const vidx_code_query *query,
                                     const uint8_t *base, size_t stride, size_t count, float *out, float *bounds) {
  for (size_t i = 0; i < count; i += 4) {
    const uint8_t *rows[4];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) rows[r] = base + (i + r < count ? i + r : count - 1) * stride;
    vidx_code_block(dots, is_coarse, at_once, query, rows, NULL, count - i, out + i, bounds ? bounds + i : NULL);
  }
}

/* Rows of which four are within a kilobyte are one stream even side by side, and share the loads of the query. Four of
 * 400 bytes gained a tenth in the caches and lost a twentieth of the memory's bandwidth. */
VIDX_INLINE void vidx_code_rows_form(vidx_code_dots dots, int is_coarse, const vidx_code_query *query,
                                     const uint8_t *base, size_t stride, size_t count, float *out, float *bounds) {
  if (is_coarse || stride <= 256)
    vidx_code_rows_loop(dots, is_coarse, 4, query, base, stride, count, out, bounds);
  else
    vidx_code_rows_loop(dots, is_coarse, 1, query, base, stride, count, out, bounds);
}

/* Sign rows and the extension rows of the same ids: full code = sign << bits | extension. */
VIDX_INLINE void vidx_refine_form(vidx_code_dots sign_dots, vidx_code_dots extension_dots, int bits, size_t tail,
                                  const vidx_code_query *query, const uint8_t *base, size_t stride,
                                  const uint8_t *extensions, size_t extension_stride, const uint32_t *ids, size_t count,
                                  float *out, float *bounds) {
  for (size_t i = 0; i < count; i += 4) {
    const uint8_t *rows[4], *ahead[4], *more[4], *more_ahead[4], *tails[4];
    int32_t dots[4], more_dots[4];
    float estimates[4], four_bounds[4];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 4; r++) {
      size_t id = ids[i + r < count ? i + r : count - 1], next = ids[i + 4 + r < count ? i + 4 + r : count - 1];
      rows[r] = base + id * stride, ahead[r] = base + next * stride;
      more[r] = extensions + id * extension_stride, more_ahead[r] = extensions + next * extension_stride;
      tails[r] = more[r] + tail;
    }
    vidx_prefetch_rows(more_ahead, 4, tail + VIDX_TAIL_BYTES - 1);
    sign_dots(query, rows, ahead, 4, dots);
    extension_dots(query, more, more_ahead, 4, more_dots);
#pragma clang loop unroll(full)
    for (int r = 0; r < 4; r++) dots[r] = dots[r] * (1 << bits) + more_dots[r];
    vidx_estimate_four(query, 0, dots, tails, estimates, bounds ? four_bounds : NULL);
    const size_t written = count - i < 4 ? count - i : 4;
    memcpy(out + i, estimates, written * sizeof *out);
    if (bounds) memcpy(bounds + i, four_bounds, written * sizeof *bounds);
  }
}

/* The bytes of extension rows without their tails: quarters, halves, and a plane of each. */
VIDX_INLINE size_t vidx_quarters(size_t dimensions) { return vidx_padded16((dimensions + 3) / 4); }
VIDX_INLINE size_t vidx_halves(size_t dimensions) { return vidx_padded16((dimensions + 1) / 2); }

/* The entry points of one integer code; `is_coarse`: that of one bit. */
#define VIDX_CODE_ENTRY_POINTS(code, is_coarse, isa)                                                                   \
  static void code##_ids_##isa(const vidx_code_query *query, const void *base, size_t stride, const uint32_t *ids,     \
                               size_t count, float *out) {                                                             \
    vidx_code_ids_form(code##_dots_##isa, is_coarse, query, base, stride, ids, count, out, NULL);                      \
  }                                                                                                                    \
  static void code##_rows_##isa(const vidx_code_query *query, const void *rows, size_t stride, size_t count,           \
                                float *out) {                                                                          \
    vidx_code_rows_form(code##_dots_##isa, is_coarse, query, rows, stride, count, out, NULL);                          \
  }                                                                                                                    \
  static void code##_bounded_ids_##isa(const vidx_code_query *query, const void *base, size_t stride,                  \
                                       const uint32_t *ids, size_t count, float *out, float *bounds) {                 \
    vidx_code_ids_form(code##_dots_##isa, is_coarse, query, base, stride, ids, count, out, bounds);                    \
  }                                                                                                                    \
  static void code##_bounded_rows_##isa(const vidx_code_query *query, const void *rows, size_t stride, size_t count,   \
                                        float *out, float *bounds) {                                                   \
    vidx_code_rows_form(code##_dots_##isa, is_coarse, query, rows, stride, count, out, bounds);                        \
  }

/* The entry points of one extension: of `bits` bits, its tail after `bytes`. */
#define VIDX_REFINE_ENTRY_POINT(bits, bytes, isa)                                                                      \
  static void refine##bits##_##isa(const vidx_code_query *query, const void *base, size_t stride,                      \
                                   const void *extensions, size_t extension_stride, const uint32_t *ids, size_t count, \
                                   float *out, float *bounds) {                                                        \
    const size_t dimensions = query->dimensions;                                                                       \
    vidx_refine_form(signs_dots_##isa, extension##bits##_dots_##isa, bits, bytes, query, base, stride, extensions,     \
                     extension_stride, ids, count, out, bounds);                                                       \
  }

#define VIDX_REFINE_ENTRY_POINTS(isa)                                                                                  \
  VIDX_REFINE_ENTRY_POINT(2, vidx_quarters(dimensions), isa)                                                           \
  VIDX_REFINE_ENTRY_POINT(4, vidx_halves(dimensions), isa)                                                             \
  VIDX_REFINE_ENTRY_POINT(6, vidx_halves(dimensions) + vidx_quarters(dimensions), isa)

#define VIDX_CODE_KERNELS(code, isa)                                                                                   \
  {                                                                                                                    \
    .ids = code##_ids_##isa, .rows = code##_rows_##isa, .bounded_ids = code##_bounded_ids_##isa,                       \
    .bounded_rows = code##_bounded_rows_##isa                                                                          \
  }

/* What follows the name: kernels that not every instruction set has. */
#define VIDX_CODE_TABLE(name, level, ...)                                                                              \
  {                                                                                                                    \
    .isa = level, .int8 = VIDX_CODE_KERNELS(int8, name), .int4 = VIDX_CODE_KERNELS(int4, name),                        \
    .bits = VIDX_CODE_KERNELS(bits, name), .f16_neg_dot = VIDX_CODE_KERNELS(f16_neg_dot, name),                        \
    .f16_l2sq = VIDX_CODE_KERNELS(f16_l2sq, name), .f16_l1 = VIDX_CODE_KERNELS(f16_l1, name),                          \
    .f32_neg_dot = VIDX_CODE_KERNELS(f32_neg_dot, name), .f32_l2sq = VIDX_CODE_KERNELS(f32_l2sq, name),                \
    .f32_l1 = VIDX_CODE_KERNELS(f32_l1, name), .refine2 = refine2_##name, .refine4 = refine4_##name,                   \
    .refine6 = refine6_##name, .rotate = rotate_##name, .rotate_back = rotate_back_##name,                             \
    .fit_levels = fit_levels_##name, .fit_signs = fit_signs_##name, .fit_query = fit_query_##name,                     \
    .fit_planes = fit_planes_##name, .dot = dot_##name,                                                                \
    .to_half = to_half_##name, .from_half = from_half_##name, .read = read_##name, __VA_ARGS__                         \
  }

extern const vidx_codes vidx_codes_scalar;
#if defined(__x86_64__)
extern const vidx_codes vidx_codes_avx2;
extern const vidx_codes vidx_codes_avx512;
extern const vidx_code_kernels vidx_bits_popcount; /* with VPOPCNTDQ, instead of those of AVX-512 */
extern const vidx_code_blocks vidx_bits_blocks_popcount;
#elif defined(__aarch64__)
extern const vidx_codes vidx_codes_neon;
extern const vidx_codes vidx_codes_neon_dot;
#endif

#endif
