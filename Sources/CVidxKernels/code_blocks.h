/* Included by a file code_<isa>.c with AVX-512 inside its target attribute: scores of codes in blocks of sixteen rows,
 * for up to VIDX_BLOCK_SCANS queries.
 *
 * In a block the rows' 32-bit words are transposed (vidx_code_transpose): the same four bytes of sixteen rows fill a
 * register, their products with four bytes of the query add up in place, and factors lie side by side. Row by row, the
 * adding up of lanes and the bounds take as long as the products. The file defines the dot products of some blocks,
 *
 *     <code>_block_dots_<isa>(queries, query_count, block, block_bytes, block_count, dots)
 *
 * sixteen for each block of each query; the counts are constants. A filter in single precision then decides whether a
 * block has a row that may be below the limit, and only of those are estimates and bounds computed as for rows. */

typedef float vidx_f32x8 __attribute__((vector_size(32)));
typedef double vidx_f64x8 __attribute__((vector_size(64)));
typedef int32_t vidx_i32x8 __attribute__((vector_size(32)));

/* Blocks multiplied at once: with four queries, eight products that do not wait for one another. */
enum { VIDX_BLOCKS_AT_ONCE = 2 };

typedef void (*vidx_block_dots)(const vidx_code_query *const *queries, int query_count, const uint8_t *block,
                                size_t block_bytes, int block_count, int32_t (*dots)[VIDX_BLOCK_ROWS]);

/* The estimates and bounds of eight rows: to the bit those of vidx_estimate_four and vidx_bound_four. */
VIDX_INLINE void vidx_estimate_eight(const vidx_code_query *query, int is_coarse, const int32_t *dots,
                                     const uint8_t *tails, float *out, float *bounds) {
  const double query_sum = is_coarse ? query->coarse_sum : query->sum;
  const double query_scale = is_coarse ? query->coarse_scale : query->scale;
  vidx_f32x8 add, scale, offset, error;
  vidx_i32x8 integers;
  memcpy(&add, tails, sizeof add);
  memcpy(&scale, tails + 64, sizeof scale);
  memcpy(&offset, tails + 128, sizeof offset);
  memcpy(&error, tails + 192, sizeof error);
  memcpy(&integers, dots, sizeof integers);
  vidx_f64x8 product = __builtin_convertvector(scale, vidx_f64x8) * __builtin_convertvector(integers, vidx_f64x8) +
                       __builtin_convertvector(offset, vidx_f64x8) * query_sum;
  vidx_f64x8 estimate = (query->constant + __builtin_convertvector(add, vidx_f64x8)) + product * query_scale;
  vidx_f32x8 rounded = __builtin_convertvector(estimate, vidx_f32x8);
  memcpy(out, &rounded, sizeof rounded);

  const vidx_f64x8 zero = {0};
  vidx_f64x8 t = __builtin_convertvector(error, vidx_f64x8) + query->error_shift, bound;
  if (is_coarse) {
    vidx_f64x8 lost = t * query->error_scale;
    vidx_f64x8 lost_of_query = __builtin_convertvector(scale, vidx_f64x8) * query->error_spread;
    bound = __builtin_elementwise_sqrt(lost * lost + lost_of_query * lost_of_query);
  } else {
    vidx_f64x8 root = zero;
    if (query->error_root != 0)
      root = __builtin_elementwise_sqrt(__builtin_elementwise_max(estimate + query->root_shift, zero));
    bound = t * (query->error_scale + query->error_root * root + query->error_square * t);
  }
  vidx_f64x8 magnitude = __builtin_elementwise_abs(__builtin_convertvector(add, vidx_f64x8)) +
                         __builtin_elementwise_abs(estimate);
  bound += query->error_constant + query->error_rounding * magnitude;
  rounded = __builtin_convertvector(bound, vidx_f32x8);
  memcpy(bounds, &rounded, sizeof rounded);
}

#include "code_filter.h"

/* Appends those of eight rows, the first of which is `first`, whose bits are set and whose lower bounds are at most the
 * limit. */
VIDX_INLINE void vidx_report_eight(vidx_block_scan *scan, int is_coarse, uint32_t near, size_t first,
                                   const int32_t *dots, const uint8_t *tails) {
  float scores[8], errors[8];
  if (!near) return;
  vidx_estimate_eight(scan->query, is_coarse, dots, tails, scores, errors);
  size_t found = scan->found;
  for (; near; near &= near - 1) {
    const int r = __builtin_ctz(near);
    const float error = errors[r] * scan->share;
    if (!(scores[r] - error <= scan->limit)) continue;
    scan->ids[found] = (uint32_t)(first + (size_t)r);
    scan->scores[found] = scores[r];
    scan->bounds[found++] = error;
  }
  scan->found = found;
}

/* `scan_count` is a constant. */
VIDX_INLINE void vidx_code_blocks_form(vidx_block_dots dots_of, int is_coarse, vidx_block_scan *scans, int scan_count,
                                       const uint8_t *blocks, size_t count) {
  const vidx_code_query *queries[VIDX_BLOCK_SCANS];
  vidx_block_filter filters[VIDX_BLOCK_SCANS];
  for (int i = 0; i < scan_count; i++) {
    queries[i] = scans[i].query;
    filters[i] = vidx_block_filter_of(&scans[i], is_coarse);
    scans[i].found = 0;
  }
  const size_t code_bytes = VIDX_BLOCK_ROWS * queries[0]->code_bytes;
  const size_t block_bytes = code_bytes + VIDX_BLOCK_ROWS * VIDX_TAIL_BYTES;
  for (size_t first = 0; first < count;) {
    const uint8_t *block = blocks + first / VIDX_BLOCK_ROWS * block_bytes;
    const int at_once = count - first > VIDX_BLOCK_ROWS ? VIDX_BLOCKS_AT_ONCE : 1;
    _Alignas(64) int32_t dots[VIDX_BLOCKS_AT_ONCE * VIDX_BLOCK_SCANS][VIDX_BLOCK_ROWS];
    if (at_once == VIDX_BLOCKS_AT_ONCE)
      dots_of(queries, scan_count, block, block_bytes, VIDX_BLOCKS_AT_ONCE, dots);
    else
      dots_of(queries, scan_count, block, block_bytes, 1, dots);
    for (int b = 0; b < at_once; b++, first += VIDX_BLOCK_ROWS) {
      const uint8_t *tails = block + (size_t)b * block_bytes + code_bytes;
      const uint32_t valid = count - first < VIDX_BLOCK_ROWS ? (1u << (count - first)) - 1 : 0xFFFF;
#pragma clang loop unroll(full)
      for (int i = 0; i < scan_count; i++) {
        const int32_t *sums = dots[b * scan_count + i];
        const uint32_t near = vidx_filter_block(&filters[i], is_coarse, sums, tails) & valid;
        if (!near) continue;
        vidx_report_eight(&scans[i], is_coarse, near & 0xFF, first, sums, tails);
        vidx_report_eight(&scans[i], is_coarse, near >> 8, first + 8, sums + 8, tails + 32);
      }
    }
  }
}

#define VIDX_BLOCK_ENTRY_POINT(code, is_coarse, isa)                                                                   \
  static void code##_blocks_##isa(vidx_block_scan *scans, size_t scan_count, const void *blocks, size_t count) {       \
    switch (scan_count) {                                                                                              \
      case 1: vidx_code_blocks_form(code##_block_dots_##isa, is_coarse, scans, 1, blocks, count); break;               \
      case 2: vidx_code_blocks_form(code##_block_dots_##isa, is_coarse, scans, 2, blocks, count); break;               \
      case 3: vidx_code_blocks_form(code##_block_dots_##isa, is_coarse, scans, 3, blocks, count); break;               \
      case 4: vidx_code_blocks_form(code##_block_dots_##isa, is_coarse, scans, 4, blocks, count); break;               \
      default: break;                                                                                                  \
    }                                                                                                                  \
  }
