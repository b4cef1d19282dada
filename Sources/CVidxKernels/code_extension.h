/* Included once by each file code_<isa>.c, with VIDX_EXTENSION_ISA its <isa>, after `halves_dots` and `quarters_dots`:
 * the integer dot products of the three extensions. Six bits are a plane of four and then one of two. */
#define VIDX_EXTENSION_NAME_(bits, isa) extension##bits##_dots_##isa
#define VIDX_EXTENSION_NAME(bits, isa) VIDX_EXTENSION_NAME_(bits, isa)

VIDX_INLINE void VIDX_EXTENSION_NAME(2, VIDX_EXTENSION_ISA)(const vidx_code_query *query, const uint8_t *const *rows,
                                                            const uint8_t *const *ahead, int count, int32_t *dots) {
  quarters_dots(query->values, rows, ahead, count, vidx_quarters(query->dimensions), dots);
}

VIDX_INLINE void VIDX_EXTENSION_NAME(4, VIDX_EXTENSION_ISA)(const vidx_code_query *query, const uint8_t *const *rows,
                                                            const uint8_t *const *ahead, int count, int32_t *dots) {
  halves_dots(query->values, rows, ahead, count, vidx_halves(query->dimensions), dots);
}

VIDX_INLINE void VIDX_EXTENSION_NAME(6, VIDX_EXTENSION_ISA)(const vidx_code_query *query, const uint8_t *const *rows,
                                                            const uint8_t *const *ahead, int count, int32_t *dots) {
  const size_t halves = vidx_halves(query->dimensions);
  const uint8_t *low_rows[4], *low_ahead[4];
  int32_t low_dots[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) low_rows[r] = rows[r] + halves, low_ahead[r] = ahead[r] + halves;
  halves_dots(query->values, rows, ahead, count, halves, dots);
  quarters_dots(query->values, low_rows, low_ahead, count, vidx_quarters(query->dimensions), low_dots);
#pragma clang loop unroll(full)
  for (int r = 0; r < count; r++) dots[r] = 4 * dots[r] + low_dots[r];
}
