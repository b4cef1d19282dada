#include "code.h"
#include "code_fit.h"
#include "code_half.h"
#include "code_read.h"
#include "code_rotate.h"

/* The reference: one dimension after the other. The other files are tested against it. */

/* The code of a dimension, in a row of n bytes; `more`: those of a second plane. */
typedef int32_t (*code_of)(const uint8_t *row, size_t n, size_t more, size_t dimension);

VIDX_INLINE void dots_of_codes(const vidx_code_query *query, const uint8_t *const *rows, size_t n, int32_t *dots,
                               code_of code) {
  const size_t more = vidx_quarters(query->dimensions);
  for (int r = 0; r < 4; r++) {
    int32_t sum = 0;
    for (size_t i = 0; i < query->dimensions; i++) sum += query->values[i] * code(rows[r], n, more, i);
    dots[r] = sum;
  }
}

VIDX_INLINE int32_t byte_code(const uint8_t *row, size_t n, size_t more, size_t i) {
  (void)n, (void)more;
  return row[i];
}

VIDX_INLINE int32_t half_code(const uint8_t *row, size_t n, size_t more, size_t i) {
  (void)more;
  return i < n ? row[i] & 15 : row[i - n] >> 4;
}

VIDX_INLINE int32_t quarter_code(const uint8_t *row, size_t n, size_t more, size_t i) {
  (void)more;
  return row[i % n] >> (2 * (i / n)) & 3;
}

VIDX_INLINE int32_t bit_code(const uint8_t *row, size_t n, size_t more, size_t i) {
  (void)n, (void)more;
  return row[i / 8] >> (i % 8) & 1;
}

#define DOTS(name, n, code)                                                                                            \
  VIDX_INLINE void name##_dots_scalar(const vidx_code_query *query, const uint8_t *const *rows,                        \
                                      const uint8_t *const *ahead, int at_once, int32_t *dots) {                       \
    (void)ahead, (void)at_once; /* computation-bound */                                                                \
    dots_of_codes(query, rows, n, dots, code);                                                                         \
  }

/* Six bits are a plane of four, and behind its n bytes one of two. */
VIDX_INLINE int32_t six_bit_code(const uint8_t *row, size_t n, size_t quarters, size_t i) {
  return 4 * half_code(row, n, 0, i) + quarter_code(row + n, quarters, 0, i);
}

DOTS(int8, query->code_bytes, byte_code)
DOTS(int4, query->code_bytes, half_code)
DOTS(signs, query->code_bytes, bit_code)
DOTS(extension2, vidx_quarters(query->dimensions), quarter_code)
DOTS(extension4, vidx_halves(query->dimensions), half_code)
DOTS(extension6, vidx_halves(query->dimensions), six_bit_code)

VIDX_INLINE int32_t plane_value(const uint8_t *planes, size_t i) {
  const uint8_t *bytes = planes + i / 128 * 64 + i / 8 % 16;
  int32_t value = 0;
  for (int plane = 0; plane < 4; plane++) value += (bytes[16 * plane] >> (i % 8) & 1) * (plane == 3 ? -8 : 1 << plane);
  return value;
}

VIDX_INLINE void bits_dots_scalar(const vidx_code_query *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  int at_once, int32_t *dots) {
  (void)ahead, (void)at_once;
  for (int r = 0; r < 4; r++) dots[r] = 0;
  for (size_t i = 0; i < query->dimensions; i++) {
    const int32_t value = plane_value(query->planes, i);
    for (int r = 0; r < 4; r++) dots[r] += value * bit_code(rows[r], 0, 0, i);
  }
}

static float float_of_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  uint32_t bits = sign | (exponent + 112) << 23 | fraction << 13;
  if (exponent == 31) bits = sign | 0x7f800000 | fraction << 13;
  float value;
  memcpy(&value, &bits, sizeof value);
  if (exponent == 0) value = (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
  return value;
}

/* To nearest, ties to even. */
static uint16_t half_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return sign | 0x7e00;  /* NaN */
  if (bits >= 0x477ff000) return sign | 0x7c00; /* 65520 and more round to infinity */
  if (bits < 0x38800000) {                      /* below 2^-14: adding 0.5 leaves multiples of 2^-24 */
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    magnitude += 0.5f;
    memcpy(&bits, &magnitude, sizeof bits);
    return sign | (uint16_t)(bits - 0x3f000000);
  }
  bits += 0xfff + (bits >> 13 & 1);
  return sign | (uint16_t)((bits - 0x38000000) >> 13);
}

typedef double (*half_step)(double sum, double q, double v);

VIDX_INLINE double neg_dot_half_step(double sum, double q, double v) { return sum - q * v; }
VIDX_INLINE double l2sq_half_step(double sum, double q, double v) { return sum + (q - v) * (q - v); }
VIDX_INLINE double l1_half_step(double sum, double q, double v) { return sum + __builtin_fabs(q - v); }
VIDX_INLINE double abs_dot_half_step(double sum, double q, double v) { return sum + __builtin_fabs(q * v); }

VIDX_INLINE void score_f16_scalar(const float *query, const uint8_t *const *rows, const uint8_t *const *ahead,
                                  int count, size_t halves, float *out, half_step step) {
  (void)ahead;
  for (int r = 0; r < count; r++) {
    double sum = 0;
    for (size_t i = 0; i < halves; i++) {
      uint16_t half;
      memcpy(&half, rows[r] + 2 * i, sizeof half);
      sum = step(sum, query[i], float_of_half(half));
    }
    out[r] = (float)sum;
  }
}

static void to_half_scalar(const float *x, size_t n, uint16_t *halves) {
  for (size_t i = 0; i < n; i++) halves[i] = half_of_float(x[i]);
}

static void from_half_scalar(const uint16_t *halves, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = float_of_half(halves[i]);
}

VIDX_ALL_ENTRY_POINTS(scalar)

const vidx_codes vidx_codes_scalar = VIDX_CODE_TABLE(scalar, "scalar", );
