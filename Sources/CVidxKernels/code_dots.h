/* Included once by each file code_<isa>.c but the scalar one, with VIDX_DOTS_ISA its <isa>, after the type `lanes` of
 * an accumulator, sums_of(lanes of four rows, sums), and the lanes of each code,
 *
 *     <code>_lanes(values, rows, ahead, count, n, lanes)
 *
 * for `count` (a constant: 1 or 4) rows of n code bytes read side by side: halves (four bits: the low halves of n bytes
 * are dimensions 0..<n, the high ones n..<2 n), quarters (two bits) and signs. Makes dot products of them. */
#define VIDX_DOTS_NAME_(code, isa) code##_dots_##isa
#define VIDX_DOTS_NAME(code, isa) VIDX_DOTS_NAME_(code, isa)
#define VIDX_DOTS(code) VIDX_DOTS_NAME(code, VIDX_DOTS_ISA)

typedef void (*lanes_of_rows)(const int8_t *values, const uint8_t *const *rows, const uint8_t *const *ahead, int count,
                              size_t n, lanes *out);

/* The sums of four rows are taken together: one row's alone cost as much as the products of a hundred bytes. */
VIDX_INLINE void dots_by(lanes_of_rows of_rows, const int8_t *values, const uint8_t *const *rows,
                         const uint8_t *const *ahead, int at_once, size_t n, int32_t *dots) {
  lanes of_four[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r += at_once)
    of_rows(values, rows + r, ahead ? ahead + r : NULL, at_once, n, of_four + r);
  sums_of(of_four, dots);
}

VIDX_INLINE void VIDX_DOTS(int4)(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                 int at_once, int32_t *dots) {
  dots_by(halves_lanes, query->values, rows, ahead, at_once, query->code_bytes, dots);
}

VIDX_INLINE void VIDX_DOTS(signs)(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  int at_once, int32_t *dots) {
  dots_by(signs_lanes, query->values, rows, ahead, at_once, query->code_bytes, dots);
}

VIDX_INLINE void VIDX_DOTS(extension2)(const vidx_code_query *query, const uint8_t *const *rows,
                                       const uint8_t *const *ahead, int at_once, int32_t *dots) {
  dots_by(quarters_lanes, query->values, rows, ahead, at_once, vidx_quarters(query->dimensions), dots);
}

VIDX_INLINE void VIDX_DOTS(extension4)(const vidx_code_query *query, const uint8_t *const *rows,
                                       const uint8_t *const *ahead, int at_once, int32_t *dots) {
  dots_by(halves_lanes, query->values, rows, ahead, at_once, vidx_halves(query->dimensions), dots);
}

/* A plane of four bits, and behind it one of two. */
VIDX_INLINE void VIDX_DOTS(extension6)(const vidx_code_query *query, const uint8_t *const *rows,
                                       const uint8_t *const *ahead, int at_once, int32_t *dots) {
  const size_t halves = vidx_halves(query->dimensions);
  const uint8_t *low_rows[4], *low_ahead[4];
  int32_t low_dots[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) low_rows[r] = rows[r] + halves, low_ahead[r] = ahead[r] + halves;
  dots_by(halves_lanes, query->values, rows, ahead, at_once, halves, dots);
  dots_by(quarters_lanes, query->values, low_rows, low_ahead, at_once, vidx_quarters(query->dimensions), low_dots);
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) dots[r] = 4 * dots[r] + low_dots[r];
}
