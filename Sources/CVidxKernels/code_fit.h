/* Included once by each file code_<isa>.c inside its target attribute: the codes of vectors and of queries.
 *
 * Sums go to eight lanes, element i to lane i % 8, which are added in pairs at the end; elementwise operations have no
 * order. So every instruction set gives the same bits. */

typedef float vidx_f32x8 __attribute__((vector_size(32), aligned(4)));
typedef float vidx_floats8 __attribute__((vector_size(32)));
typedef double vidx_doubles8 __attribute__((vector_size(64)));
typedef int32_t vidx_ints8 __attribute__((vector_size(32)));
typedef uint8_t vidx_bytes8 __attribute__((vector_size(8), aligned(1)));
typedef int8_t vidx_chars8 __attribute__((vector_size(8), aligned(1)));

/* Floats i..<i + 8, with `fill` from n on. */
VIDX_INLINE vidx_floats8 vidx_load8(const float *x, size_t i, size_t n, float fill) {
  vidx_floats8 v;
  if (i + 8 <= n) {
    memcpy(&v, x + i, sizeof v);
  } else {
    float part[8];
    for (size_t j = 0; j < 8; j++) part[j] = i + j < n ? x[i + j] : fill;
    memcpy(&v, part, sizeof v);
  }
  return v;
}

VIDX_INLINE double vidx_total(vidx_doubles8 a) {
  return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

VIDX_INLINE int64_t vidx_total_ints(vidx_ints8 a) {
  int64_t total = 0;
  for (int i = 0; i < 8; i++) total += a[i];
  return total;
}

VIDX_INLINE double vidx_dot(const float *a, const float *b, size_t n) {
  vidx_doubles8 sum = {0};
  for (size_t i = 0; i < n; i += 8)
    sum += __builtin_convertvector(vidx_load8(a, i, n, 0), vidx_doubles8) *
           __builtin_convertvector(vidx_load8(b, i, n, 0), vidx_doubles8);
  return vidx_total(sum);
}

/* What is summed of a vector before it is coded. */
typedef struct {
  float least, most, largest; /* of x, x and |x| */
  double sum, norm;           /* of x and x^2 */
} vidx_moments;

VIDX_INLINE vidx_moments vidx_moments_of(const float *x, size_t n) {
  vidx_floats8 least, most;
  vidx_doubles8 sum = {0}, norm = {0};
  for (int j = 0; j < 8; j++) least[j] = most[j] = x[0];
  for (size_t i = 0; i < n; i += 8) {
    vidx_floats8 inside = vidx_load8(x, i, n, x[0]);
    least = __builtin_elementwise_min(least, inside);
    most = __builtin_elementwise_max(most, inside);
    vidx_doubles8 v = __builtin_convertvector(vidx_load8(x, i, n, 0), vidx_doubles8);
    sum += v;
    norm += v * v;
  }
  vidx_moments m = {.least = x[0], .most = x[0]};
  for (int j = 0; j < 8; j++) {
    m.least = least[j] < m.least ? least[j] : m.least;
    m.most = most[j] > m.most ? most[j] : m.most;
  }
  m.largest = -m.least > m.most ? -m.least : m.most;
  m.sum = vidx_total(sum), m.norm = vidx_total(norm);
  return m;
}

/* Sums over codes, and over products of floats and codes. */
typedef struct {
  double codes, squares, products;
} vidx_code_sums;

/* Codes round((x - offset) * inverse) in 0...top; NULL codes: sums only. */
VIDX_INLINE vidx_code_sums vidx_level_pass(const float *x, size_t n, float offset, float inverse, int top,
                                           uint8_t *codes) {
  vidx_ints8 sum = {0}, squares = {0};
  vidx_doubles8 products = {0};
  const vidx_floats8 zero = {0}, last = zero + ((float)top + 0.5f);
  for (size_t i = 0; i < n; i += 8) {
    vidx_floats8 v = vidx_load8(x, i, n, offset); /* of code 0 */
    vidx_floats8 level = (v - offset) * inverse + 0.5f;
    level = __builtin_elementwise_min(__builtin_elementwise_max(level, zero), last);
    vidx_ints8 code = __builtin_convertvector(level, vidx_ints8);
    sum += code;
    squares += code * code;
    products += __builtin_convertvector(v, vidx_doubles8) * __builtin_convertvector(code, vidx_doubles8);
    if (codes) {
      vidx_bytes8 bytes = __builtin_convertvector(code, vidx_bytes8);
      memcpy(codes + i, &bytes, n - i < 8 ? n - i : 8);
    }
  }
  return (vidx_code_sums){(double)vidx_total_ints(sum), (double)vidx_total_ints(squares), vidx_total(products)};
}

/* What offset and scale make of the sums. */
VIDX_INLINE void vidx_finish_fit(const vidx_moments *m, vidx_code_sums s, size_t n, vidx_code_fit *fit) {
  const double count = (double)n, a = fit->offset, b = fit->scale;
  fit->norm = m->norm;
  fit->product = a * m->sum + b * s.products;
  fit->decoded_norm = count * a * a + 2 * a * b * s.codes + b * b * s.squares;
}

/* The least squares offset and scale for given codes. */
VIDX_INLINE void vidx_least_squares(const vidx_moments *m, vidx_code_sums s, size_t n, vidx_code_fit *fit) {
  const double count = (double)n;
  const double determinant = count * s.squares - s.codes * s.codes; /* exact: integers below 2^53 */
  double scale = determinant > 0 ? (count * s.products - s.codes * m->sum) / determinant : 0;
  if (scale < 0x1p-120) scale = 0; /* so that its inverse is finite */
  fit->scale = (float)scale;
  fit->offset = (float)((m->sum - fit->scale * s.codes) / count);
  vidx_finish_fit(m, s, n, fit);
}

VIDX_INLINE double vidx_squared_error(const vidx_code_fit *fit) {
  return fit->norm - 2 * fit->product + fit->decoded_norm;
}

/* From an interval: code, fit, and code again in the fitted interval, keeping the best. The winner's interval. */
VIDX_INLINE void vidx_improve(const float *x, size_t n, const vidx_moments *m, double low, double high, int top,
                              int rounds, float best[2], double *error) {
  float offset = (float)low, scale = (float)((high - low) / top);
  for (int round = 0; round < rounds; round++) {
    if (!(scale >= 0x1p-120f)) return;
    vidx_code_fit fit;
    vidx_least_squares(m, vidx_level_pass(x, n, offset, 1 / scale, top, NULL), n, &fit);
    const double e = vidx_squared_error(&fit);
    if (e < *error) *error = e, best[0] = offset, best[1] = scale;
    offset = fit.offset, scale = fit.scale;
  }
}

/* 256 levels between the least and the most; 16 levels in the better of two intervals improved: that, and the one that
 * is best for normally distributed components, 2.68 standard deviations each way. In the end offset and scale are
 * stretched so that product = norm, as RaBitQ does: least squares alone makes near vectors seem farther than they are,
 * for four bits by a hundredth of their norm. */
VIDX_INLINE void vidx_fit_levels(const float *x, size_t n, int levels, uint8_t *codes, vidx_code_fit *fit) {
  enum { ROUNDS = 5 };
  const int top = levels - 1;
  const vidx_moments m = vidx_moments_of(x, n);
  float best[2] = {m.least, (float)(((double)m.most - m.least) / top)};
  double error = __builtin_inf();
  if (levels == 16) {
    const double mean = m.sum / (double)n, variance = m.norm / (double)n - mean * mean;
    const double reach = 2.68 * __builtin_elementwise_sqrt(variance > 0 ? variance : 0);
    vidx_improve(x, n, &m, m.least, m.most, top, ROUNDS, best, &error);
    vidx_improve(x, n, &m, mean - reach, mean + reach, top, ROUNDS, best, &error);
  }
  const int is_flat = !(best[1] >= 0x1p-120f);
  const float inverse = is_flat ? 0 : 1 / best[1];
  const vidx_code_sums sums = vidx_level_pass(x, n, best[0], inverse, is_flat ? 0 : top, codes);
  vidx_least_squares(&m, sums, n, fit);
  if (fit->product < m.norm / 2 || !(fit->product > 0)) return; /* nothing much was caught: do not blow it up */
  fit->offset = (float)(fit->offset * (m.norm / fit->product));
  fit->scale = (float)(fit->scale * (m.norm / fit->product));
  vidx_finish_fit(&m, sums, n, fit);
}

/* Sums over values 0.5, 1.5 ... `top` + 0.5 of |x| in steps of 1 / inverse, with the sign of x; codes. */
VIDX_INLINE vidx_code_sums vidx_sign_pass(const float *x, size_t n, float inverse, int top, uint8_t *codes) {
  vidx_ints8 squares = {0}, sum = {0};
  vidx_doubles8 products = {0};
  const vidx_floats8 zero = {0}, last = zero + (float)top;
  for (size_t i = 0; i < n; i += 8) {
    vidx_floats8 v = vidx_load8(x, i, n, 0), size = __builtin_elementwise_abs(v);
    vidx_ints8 step = __builtin_convertvector(__builtin_elementwise_min(size * inverse, last), vidx_ints8);
    vidx_ints8 twice = 2 * step + 1;
    if (i + 8 > n)
      for (size_t j = n - i; j < 8; j++) twice[j] = 0;
    vidx_ints8 is_negative = v < zero; /* all bits, or none */
    sum += (twice ^ is_negative) - is_negative;
    squares += twice * twice;
    products += __builtin_convertvector(size, vidx_doubles8) * __builtin_convertvector(twice, vidx_doubles8);
    if (codes) {
      vidx_ints8 code = (top + 1 + step) ^ (is_negative & (2 * top + 1)); /* a complement for negative x */
      vidx_bytes8 bytes = __builtin_convertvector(code, vidx_bytes8);
      memcpy(codes + i, &bytes, n - i < 8 ? n - i : 8);
    }
  }
  return (vidx_code_sums){(double)vidx_total_ints(sum) / 2, (double)vidx_total_ints(squares) / 4,
                          vidx_total(products) / 2};
}

/* The step that makes the cosine between x and its decoded form largest, among some around the one that is best for
 * normally distributed components, and the one that reaches the largest. (The extended RaBitQ paper searches all steps
 * at which a code changes.) */
VIDX_INLINE float vidx_best_inverse(const float *x, size_t n, int bits, const vidx_moments *m) {
  const double steps[4] = {1, 0.5860, 0.1881, 0.0569}; /* of 8, 32 and 128 levels, in standard deviations */
  const int top = (1 << bits) - 1;
  const double step = steps[bits / 2] * __builtin_elementwise_sqrt(m->norm / (double)n);
  float best = 0;
  double best_cosine = -1;
  for (int i = -3; i <= 4; i++) {
    const double inverse = i == 4 ? (top + 1) / (double)m->largest : 1 / (step * (1 + 0.06 * i));
    if (!(inverse < 0x1p126)) continue; /* so short that no step is left: signs only */
    const vidx_code_sums s = vidx_sign_pass(x, n, (float)inverse, top, NULL);
    const double cosine = s.products * s.products / s.squares;
    if (cosine > best_cosine) best_cosine = cosine, best = (float)inverse;
  }
  return best;
}

VIDX_INLINE void vidx_fit_signs(const float *x, size_t n, int bits, uint8_t *codes, vidx_code_fit *fit) {
  const int top = (1 << bits) - 1;
  const vidx_moments m = vidx_moments_of(x, n);
  const float inverse = bits == 0 ? 0 : vidx_best_inverse(x, n, bits, &m);
  const vidx_code_sums s = vidx_sign_pass(x, n, inverse, top, codes);
  const double scale = s.products > 0 ? m.norm / s.products : 0;
  fit->scale = scale < 0x1p-120 ? 0 : (float)scale;
  fit->offset = -fit->scale * ((float)top + 0.5f);
  /* decoded = b * value + a, where a is what rounding the offset has left */
  const double b = fit->scale, a = fit->offset + b * (top + 0.5);
  fit->norm = m.norm;
  fit->product = b * s.products + a * m.sum;
  fit->decoded_norm = b * b * s.squares + 2 * a * b * s.codes + a * a * (double)n;
}

VIDX_INLINE void vidx_finish_query(const vidx_moments *m, int64_t sum, int64_t squares, double product,
                                   vidx_query_fit *fit) {
  fit->sum = (int32_t)sum;
  fit->norm = m->norm;
  fit->value_norm = (double)squares;
  fit->scale = product > 0 ? fit->norm / product : 0; /* rounded, the query has the same product with itself */
}

VIDX_INLINE void vidx_fit_query(const float *x, size_t n, int8_t *values, vidx_query_fit *fit) {
  const vidx_moments m = vidx_moments_of(x, n);
  const float inverse = m.largest >= 0x1p-120f ? (float)(127 / (double)m.largest) : 0;
  vidx_ints8 sum = {0}, squares = {0};
  vidx_doubles8 products = {0};
  const vidx_floats8 zero = {0};
  for (size_t i = 0; i < n; i += 8) {
    vidx_floats8 v = vidx_load8(x, i, n, 0);
    vidx_floats8 magnitude = __builtin_elementwise_min(__builtin_elementwise_abs(v) * inverse + 0.5f, zero + 127.5f);
    vidx_ints8 is_negative = v < zero;
    vidx_ints8 value = (__builtin_convertvector(magnitude, vidx_ints8) ^ is_negative) - is_negative;
    sum += value;
    squares += value * value;
    products += __builtin_convertvector(v, vidx_doubles8) * __builtin_convertvector(value, vidx_doubles8);
    vidx_chars8 bytes = __builtin_convertvector(value, vidx_chars8);
    memcpy(values + i, &bytes, n - i < 8 ? n - i : 8);
  }
  vidx_finish_query(&m, vidx_total_ints(sum), vidx_total_ints(squares), vidx_total(products), fit);
}

typedef uint64_t vidx_words8 __attribute__((vector_size(64)));
typedef uint8_t vidx_bytes64 __attribute__((vector_size(64)));
typedef uint8_t vidx_bytes32 __attribute__((vector_size(32)));

/* The four lowest bits of 64 bytes, as planes of 8 bytes, 16 bytes apart. In each word, what bit j of byte k was
 * becomes bit k of byte j, by swaps of blocks of 1, 2 and 4 bits (Hacker's Delight, 7-3). */
VIDX_INLINE void vidx_pack_planes(const uint8_t *values, uint8_t *planes) {
  vidx_words8 x, t;
  memcpy(&x, values, sizeof x);
  t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aa, x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000cccc, x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0, x ^= t ^ (t << 28);
  vidx_bytes64 all;
  memcpy(&all, &x, sizeof all);
  vidx_bytes32 four = __builtin_shufflevector(all, all, 0, 8, 16, 24, 32, 40, 48, 56, 1, 9, 17, 25, 33, 41, 49, 57, 2,
                                              10, 18, 26, 34, 42, 50, 58, 3, 11, 19, 27, 35, 43, 51, 59);
  uint8_t bytes[32];
  memcpy(bytes, &four, sizeof bytes);
  for (int plane = 0; plane < 4; plane++) memcpy(planes + 16 * plane, bytes + 8 * plane, 8);
}

/* Steps of 0.36 standard deviations, which are best for fifteen levels of a normal distribution, or less when seven of
 * them reach the largest. */
VIDX_INLINE void vidx_fit_planes(const float *x, size_t n, uint8_t *planes, vidx_query_fit *fit) {
  const vidx_moments m = vidx_moments_of(x, n);
  const double normal = 0.36 * __builtin_elementwise_sqrt(m.norm / (double)n), reach = m.largest / 7.0;
  const double step = normal < reach ? normal : reach;
  const float inverse = step >= 0x1p-120 ? (float)(1 / step) : 0;
  vidx_ints8 sum = {0}, squares = {0};
  vidx_doubles8 products = {0};
  const vidx_floats8 zero = {0};
  memset(planes, 0, (n + 127) / 128 * 64);
  for (size_t i = 0; i < n; i += 64) {
    uint8_t values[64] = {0};
    for (size_t j = i; j < n && j < i + 64; j += 8) {
      vidx_floats8 v = vidx_load8(x, j, n, 0);
      vidx_floats8 magnitude = __builtin_elementwise_min(__builtin_elementwise_abs(v) * inverse + 0.5f, zero + 7.5f);
      vidx_ints8 is_negative = v < zero;
      vidx_ints8 value = (__builtin_convertvector(magnitude, vidx_ints8) ^ is_negative) - is_negative;
      sum += value;
      squares += value * value;
      products += __builtin_convertvector(v, vidx_doubles8) * __builtin_convertvector(value, vidx_doubles8);
      vidx_chars8 bytes = __builtin_convertvector(value, vidx_chars8);
      memcpy(values + (j - i), &bytes, 8);
    }
    vidx_pack_planes(values, planes + i / 128 * 64 + i / 64 % 2 * 8);
  }
  vidx_finish_query(&m, vidx_total_ints(sum), vidx_total_ints(squares), vidx_total(products), fit);
}

#define VIDX_FIT_ENTRY_POINTS(isa)                                                                                     \
  static void fit_levels_##isa(const float *x, size_t n, int levels, uint8_t *codes, vidx_code_fit *fit) {             \
    vidx_fit_levels(x, n, levels, codes, fit);                                                                         \
  }                                                                                                                    \
  static void fit_signs_##isa(const float *x, size_t n, int bits, uint8_t *codes, vidx_code_fit *fit) {                \
    vidx_fit_signs(x, n, bits, codes, fit);                                                                            \
  }                                                                                                                    \
  static void fit_query_##isa(const float *x, size_t n, int8_t *values, vidx_query_fit *fit) {                         \
    vidx_fit_query(x, n, values, fit);                                                                                 \
  }                                                                                                                    \
  static void fit_planes_##isa(const float *x, size_t n, uint8_t *planes, vidx_query_fit *fit) {                       \
    vidx_fit_planes(x, n, planes, fit);                                                                                \
  }                                                                                                                    \
  static double dot_##isa(const float *a, const float *b, size_t n) { return vidx_dot(a, b, n); }
