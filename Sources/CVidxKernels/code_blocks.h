/* Included by a file code_<isa>.c inside its target attribute: scores of codes in blocks of sixteen rows.
 *
 * In a block the rows' 32-bit words are transposed (vidx_code_transpose): the same four bytes of sixteen rows fill a
 * register, their products with four bytes of the query add up in place, and factors lie side by side. Row by row, the
 * adding up of lanes and the bounds take as long as the products. The file defines the dot products of a block,
 *
 *     <code>_block_dots_<isa>(query, block, dots) */

typedef float vidx_f32x8 __attribute__((vector_size(32)));
typedef double vidx_f64x8 __attribute__((vector_size(64)));
typedef int32_t vidx_i32x8 __attribute__((vector_size(32)));

typedef void (*vidx_block_dots)(const vidx_code_query *query, const uint8_t *block, int32_t *dots);

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

/* Of sixteen rows: which lower bounds are at most the limit, a bit a row; `bounds` are multiplied with the share. */
VIDX_INLINE uint32_t vidx_near_rows(const float *scores, float *bounds, float share, float limit) {
  uint32_t near = 0;
  for (int r = 0; r < VIDX_BLOCK_ROWS; r++) {
    bounds[r] *= share;
    near |= (uint32_t)(scores[r] - bounds[r] <= limit) << r;
  }
  return near;
}

VIDX_INLINE size_t vidx_code_blocks_form(vidx_block_dots dots_of, int is_coarse, const vidx_code_query *query,
                                         const uint8_t *blocks, size_t count, float share, float limit, uint32_t *ids,
                                         float *out, float *bounds) {
  const size_t row_bytes = query->code_bytes + VIDX_TAIL_BYTES;
  size_t found = 0;
  for (size_t first = 0; first < count; first += VIDX_BLOCK_ROWS) {
    const uint8_t *block = blocks + first * row_bytes, *tails = block + VIDX_BLOCK_ROWS * query->code_bytes;
    int32_t dots[VIDX_BLOCK_ROWS];
    float scores[VIDX_BLOCK_ROWS], errors[VIDX_BLOCK_ROWS];
    dots_of(query, block, dots);
    vidx_estimate_eight(query, is_coarse, dots, tails, scores, errors);
    vidx_estimate_eight(query, is_coarse, dots + 8, tails + 32, scores + 8, errors + 8);
    uint32_t near = vidx_near_rows(scores, errors, share, limit);
    if (count - first < VIDX_BLOCK_ROWS) near &= (1u << (count - first)) - 1;
    for (; near; near &= near - 1) {
      const int r = __builtin_ctz(near);
      ids[found] = (uint32_t)(first + (size_t)r);
      out[found] = scores[r];
      bounds[found++] = errors[r];
    }
  }
  return found;
}

#define VIDX_BLOCK_PARAMETERS                                                                                          \
  const vidx_code_query *query, const void *blocks, size_t count, float share, float limit, uint32_t *ids, float *out, \
      float *bounds

#define VIDX_BLOCK_ENTRY_POINTS(isa)                                                                                   \
  static size_t int8_blocks_##isa(VIDX_BLOCK_PARAMETERS) {                                                             \
    return vidx_code_blocks_form(int8_block_dots_##isa, 0, query, blocks, count, share, limit, ids, out, bounds);      \
  }                                                                                                                    \
  static size_t int4_blocks_##isa(VIDX_BLOCK_PARAMETERS) {                                                             \
    return vidx_code_blocks_form(int4_block_dots_##isa, 0, query, blocks, count, share, limit, ids, out, bounds);      \
  }

#define VIDX_BLOCK_KERNELS(isa)                                                                                        \
  .int8_blocks = int8_blocks_##isa, .int4_blocks = int4_blocks_##isa
