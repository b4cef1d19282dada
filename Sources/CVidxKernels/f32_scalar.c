#include "f32.h"

#include <math.h>

/* The reference: one term after the other, in double (a product of two floats is exact there), rounded once at the
 * end. The other files are tested against it, so nothing here may be reordered, fused or vectorised. */
#pragma clang fp contract(off) reassociate(off)

typedef double (*step_f32)(double sum, double q, double v);

VIDX_INLINE double neg_dot_step(double sum, double q, double v) { return sum - q * v; }

VIDX_INLINE double l2sq_step(double sum, double q, double v) { return sum + (q - v) * (q - v); }

VIDX_INLINE double l1_step(double sum, double q, double v) { return sum + fabs(q - v); }

VIDX_INLINE float score_one_f32_scalar(const float *query, const float *vector, size_t n, step_f32 step) {
  double sum = 0;
#pragma clang loop vectorize(disable) interleave(disable)
  for (size_t i = 0; i < n; i++) sum = step(sum, query[i], vector[i]);
  return (float)sum;
}

VIDX_INLINE void score_four_f32_scalar(const float *query, const float *const vectors[4], size_t n, float *out,
                                       step_f32 step) {
  for (int r = 0; r < 4; r++) out[r] = score_one_f32_scalar(query, vectors[r], n, step);
}

VIDX_F32_ENTRY_POINTS(neg_dot, scalar)
VIDX_F32_ENTRY_POINTS(l2sq, scalar)
VIDX_F32_ENTRY_POINTS(l1, scalar)

const vidx_kernels vidx_kernels_scalar = VIDX_F32_TABLE(scalar);
