#include <string.h>

#include "CVidxKernels.h"

/* e^x to about 3 in 100 by the exponent's bits (Schraudolph, A Fast, Compact Approximation of the Exponential Function,
 * 1999): the terms are guesses, and the sum is compared with 1. */
static inline float vidx_exp_about(float x) {
  x = x < -80 ? -80 : x;
  x = x > 80 ? 80 : x;
  const int32_t bits = (int32_t)(x * 12102203.0f) + 1064986823;
  float y;
  memcpy(&y, &bits, sizeof y);
  return y;
}

float vidx_expected_within(const float *squares, const float *factors, const float *logs, float square, size_t count) {
  float sums[16] = {0};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (size_t j = 0; j < 16; j++)
      sums[j] += vidx_exp_about(logs[i + j] - (squares[i + j] - square) * factors[i + j]);
  for (; i < count; i++) sums[0] += vidx_exp_about(logs[i] - (squares[i] - square) * factors[i]);
  float sum = 0;
  for (size_t j = 0; j < 16; j++) sum += sums[j];
  return sum;
}
