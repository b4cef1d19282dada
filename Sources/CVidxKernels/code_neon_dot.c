#if defined(__aarch64__)

#include <arm_neon.h>

#include "code.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

VIDX_INLINE int32x4_t dot_step(int32x4_t sum, uint8x16_t codes, int8x16_t values) {
  return vdotq_s32(sum, vreinterpretq_s8_u8(codes), values);
}

/* SDOT takes signed codes: each less 128, which is made good in the end. */
VIDX_INLINE int32x4_t wide_step(int32x4_t sum, uint8x16_t codes, int8x16_t values) {
  return vdotq_s32(sum, vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128))), values);
}

VIDX_INLINE int32_t wide_correction(int32_t sum) { return 128 * sum; }

#define vidx_kernels_neon_dot vidx_kernels_neon
#define VIDX_NEON_ISA neon_dot
#include "code_neon.h"

#pragma clang attribute pop

const vidx_codes vidx_codes_neon_dot = VIDX_CODE_TABLE(neon_dot, "neon+dot", );

#endif
