/* Included by code_blocks.h inside a target attribute with AVX-512F: which of sixteen rows may be below a limit, in
 * single precision. What it lets through is computed in double, so a row too many costs time and nothing else; what the
 * double computation reports must never be kept out.
 *
 * Let u = 2^-24 and T = |constant| + |add| + |scale I q| + |offset sum q|, q the query's scale. The estimate is at most
 * 10 u T off: its inputs, its six operations here, the rounding of the exact one and of what it is compared with.
 * Bounds are sums and products of what is not negative: relative errors below 12 u. Instead of the root stands its
 * tangent at a point of the filter's choosing, above the root everywhere, taken where the estimate may at most be. So
 *
 *     estimate - (1 + 2^-18) share bound - 2^-19 T - 2^-60
 *
 * is at most the lower bound. 2^-60 is for what becomes denormal, at smaller magnitudes only: a query with a factor
 * outside 2^-60...2^60 lets everything through. So does whatever is no number in the end: when a sum overflows, T is
 * infinite. */

typedef struct {
  float constant, magnitude; /* of the query: constant and |constant| */
  float scale, offset;       /* factors of the rows' scale and offset: q, sum q */
  float linear, square;      /* bound = t (linear + slope max(root, 0) + square t), */
  float slope, root_of_shift, root_slope, root_slack; /* root = root_of_shift + root_slope estimate + root_slack T */
  float shift;               /* t = error + shift */
  float spread;              /* one-bit rows: sqrt((linear t)^2 + (spread scale)^2) */
  float per_magnitude;       /* what is allowed for each unit of T */
  float limit;               /* with what is allowed in any case */
} vidx_block_filter;

/* A factor in single precision; one outside the range makes the limit infinite. */
VIDX_INLINE float vidx_filter_factor(double x, float *limit) {
  const double magnitude = __builtin_fabs(x);
  if (x != 0 && !(magnitude >= 0x1p-60 && magnitude <= 0x1p60)) *limit = __builtin_inff();
  return (float)x;
}

VIDX_INLINE vidx_block_filter vidx_block_filter_of(const vidx_block_scan *scan, int is_coarse) {
  const vidx_code_query *query = scan->query;
  const double share = scan->share * (1 + 0x1p-18);
  const double scale = is_coarse ? query->coarse_scale : query->scale;
  vidx_block_filter f = {0};
  /* A limit far beyond what it is compared with may round to either side of it. */
  f.limit = (float)(scan->limit + __builtin_fabs(scan->limit) * 0x1p-22 + share * query->error_constant + 0x1p-60);
  /* Bounds may overflow before they are multiplied with the share. */
  if (scan->limit < -0x1p100f) f.limit = __builtin_inff();
  f.constant = (float)query->constant;
  f.magnitude = __builtin_fabsf(f.constant);
  f.scale = vidx_filter_factor(scale, &f.limit);
  f.offset = vidx_filter_factor(scale * (is_coarse ? query->coarse_sum : query->sum), &f.limit);
  f.shift = vidx_filter_factor(query->error_shift, &f.limit);
  f.linear = vidx_filter_factor(share * query->error_scale, &f.limit);
  f.per_magnitude = (float)(0x1p-19 + 2 * share * query->error_rounding);
  if (is_coarse) {
    f.spread = vidx_filter_factor(share * query->error_spread, &f.limit);
  } else {
    f.square = vidx_filter_factor(share * query->error_square, &f.limit);
    f.slope = vidx_filter_factor(share * query->error_root, &f.limit);
    /* Where estimates at the limit less their bounds about are; anything above zero holds. */
    const double least = scan->limit + query->root_shift;
    double at = (least > 0 ? least : 0) + 16 * query->error_shift * query->error_shift;
    if (!(at >= 0x1p-60 && at <= 0x1p60)) at = 1;
    const double root = __builtin_sqrt(at);
    f.root_slope = (float)(0.5 / root);
    f.root_of_shift = (float)(0.5 * root + 0.5 / root * query->root_shift * (1 + 0x1p-20));
    f.root_slack = (float)(0.5 / root * 0x1p-20);
  }
  return f;
}

VIDX_INLINE __m512 vidx_all(float x) { return _mm512_set1_ps(x); }

/* A bit for each row that may have a lower bound of at most the limit. */
VIDX_INLINE uint32_t vidx_filter_block(const vidx_block_filter *f, int is_coarse, const int32_t *dots,
                                       const uint8_t *tails) {
  const __m512 add = _mm512_loadu_ps(tails), scale = _mm512_loadu_ps(tails + 64);
  const __m512 offset = _mm512_loadu_ps(tails + 128), error = _mm512_loadu_ps(tails + 192);
  const __m512 product = _mm512_mul_ps(_mm512_mul_ps(scale, vidx_all(f->scale)),
                                       _mm512_cvtepi32_ps(_mm512_loadu_si512(dots)));
  const __m512 along = _mm512_mul_ps(offset, vidx_all(f->offset));
  const __m512 estimate =
      _mm512_add_ps(_mm512_add_ps(_mm512_add_ps(vidx_all(f->constant), add), along), product);
  const __m512 magnitude = _mm512_add_ps(
      _mm512_add_ps(_mm512_add_ps(vidx_all(f->magnitude), _mm512_abs_ps(add)), _mm512_abs_ps(along)),
      _mm512_abs_ps(product));
  const __m512 t = _mm512_add_ps(error, vidx_all(f->shift)), limit = vidx_all(f->limit);
  const __m512 allowed = _mm512_mul_ps(magnitude, vidx_all(f->per_magnitude));
  const __m512 over = _mm512_sub_ps(_mm512_sub_ps(estimate, limit), allowed);
  if (is_coarse) {
    const __m512 lost = _mm512_mul_ps(t, vidx_all(f->linear)), spread = _mm512_mul_ps(scale, vidx_all(f->spread));
    const __m512 square = _mm512_fmadd_ps(lost, lost, _mm512_mul_ps(spread, spread));
    const __m512 above = _mm512_max_ps(over, _mm512_setzero_ps()); /* zero also for what is no number */
    return _mm512_cmp_ps_mask(_mm512_mul_ps(above, above), square, _CMP_NGT_UQ);
  }
  __m512 root = _mm512_fmadd_ps(magnitude, vidx_all(f->root_slack), vidx_all(f->root_of_shift));
  root = _mm512_max_ps(_mm512_fmadd_ps(estimate, vidx_all(f->root_slope), root), _mm512_setzero_ps());
  __m512 bound = _mm512_fmadd_ps(t, vidx_all(f->square), vidx_all(f->linear));
  bound = _mm512_mul_ps(_mm512_fmadd_ps(root, vidx_all(f->slope), bound), t);
  return _mm512_cmp_ps_mask(over, bound, _CMP_NGT_UQ);
}
