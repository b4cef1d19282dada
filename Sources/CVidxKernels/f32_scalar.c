#include "f32.h"

#include <math.h>

/* The reference: one term after the other, in double (a product of two floats is exact there), rounded once at the
 * end. The other files are tested against it, so nothing here may be reordered, fused or vectorised. */
#pragma clang fp contract(off) reassociate(off)

typedef double (*step_f32)(double sum, double q, double v);

VIDX_INLINE double neg_dot_step(double sum, double q, double v) { return sum - q * v; }

VIDX_INLINE double l2sq_step(double sum, double q, double v) { return sum + (q - v) * (q - v); }

VIDX_INLINE double l1_step(double sum, double q, double v) { return sum + fabs(q - v); }

VIDX_INLINE void score_f32_scalar(const float *query, const float *const *vectors, const float *const *ahead, int count,
                                  size_t n, float *out, step_f32 step) {
  (void)ahead; /* computation-bound */
  for (int r = 0; r < count; r++) {
    double sum = 0;
#pragma clang loop vectorize(disable) interleave(disable)
    for (size_t i = 0; i < n; i++) sum = step(sum, query[i], vectors[r][i]);
    out[r] = (float)sum;
  }
}

VIDX_F32_ENTRY_POINTS(neg_dot, scalar)
VIDX_F32_ENTRY_POINTS(l2sq, scalar)
VIDX_F32_ENTRY_POINTS(l1, scalar)

const vidx_kernels vidx_kernels_scalar = VIDX_F32_TABLE(scalar);
