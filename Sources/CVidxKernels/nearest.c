#include "CVidxKernels.h"

/* One loop that only keeps minima, in four vectors of four, and one that finds where the least was. Both together are
 * a hundredth of the product before them, so baseline instructions do. */

typedef float quad __attribute__((vector_size(16)));
typedef float memory_quad __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t mask_quad __attribute__((vector_size(16)));

VIDX_INLINE quad score_quad(const float *products, const float *biases, size_t i) {
  const quad product = *(const memory_quad *)(products + i);
  return biases ? *(const memory_quad *)(biases + i) - product : -product;
}

VIDX_INLINE quad smaller_of(quad a, quad b) {
  const mask_quad is_less = a < b;
  return (quad)(((mask_quad)a & is_less) | ((mask_quad)b & ~is_less));
}

VIDX_INLINE float score_at(const float *products, const float *biases, size_t i) {
  return biases ? biases[i] - products[i] : -products[i];
}

size_t vidx_nearest_of_products(const float *products, const float *biases, size_t count, float *least) {
  float best = score_at(products, biases, 0);
  size_t i = 0;
  if (count >= 16) {
    quad minima[4];
    for (int j = 0; j < 4; j++) minima[j] = score_quad(products, biases, 4 * j);
    for (i = 16; i + 16 <= count; i += 16)
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; j++) minima[j] = smaller_of(score_quad(products, biases, i + 4 * j), minima[j]);
    const quad all = smaller_of(smaller_of(minima[0], minima[1]), smaller_of(minima[2], minima[3]));
    for (int j = 0; j < 4; j++) best = all[j] < best ? all[j] : best;
  }
  for (; i < count; i++) {
    const float score = score_at(products, biases, i);
    best = score < best ? score : best;
  }
  *least = best;
  for (i = 0; i + 1 < count && score_at(products, biases, i) != best;) i++;
  return i;
}

size_t vidx_select_of_products(const float *products, const float *biases, size_t count, float limit, uint32_t *out) {
  const quad limits = {limit, limit, limit, limit};
  size_t found = 0, i = 0;
  for (; i + 16 <= count; i += 16) {
    mask_quad any = {0};
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) any |= score_quad(products, biases, i + 4 * j) <= limits;
    if (!(any[0] | any[1] | any[2] | any[3])) continue;
    for (size_t j = i; j < i + 16; j++)
      if (score_at(products, biases, j) <= limit) out[found++] = (uint32_t)j;
  }
  for (; i < count; i++)
    if (score_at(products, biases, i) <= limit) out[found++] = (uint32_t)i;
  return found;
}

typedef double pair __attribute__((vector_size(16)));
typedef float half_quad __attribute__((vector_size(8), aligned(4), may_alias));

double vidx_sum_of_squares(const float *vector, size_t n) {
/* No fused multiply-add on any CPU: equal vectors have equal lengths wherever they were indexed. */
#pragma clang fp contract(off)
  pair sums[4] = {{0}, {0}, {0}, {0}};
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      const pair x = __builtin_convertvector(*(const half_quad *)(vector + i + 2 * j), pair);
      sums[j] += x * x;
    }
  const pair both = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = both[0] + both[1];
  for (; i < n; i++) {
    const double x = vector[i];
    const double square = x * x;
    sum += square;
  }
  return sum;
}
