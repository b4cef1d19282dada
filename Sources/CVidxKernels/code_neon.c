#if defined(__aarch64__)

#include <arm_neon.h>

#include "code.h"

VIDX_INLINE int32x4_t dot_step(int32x4_t sum, uint8x16_t codes, int8x16_t values) {
  int8x16_t c = vreinterpretq_s8_u8(codes);
  int16x8_t p = vmull_s8(vget_low_s8(c), vget_low_s8(values));
  return vpadalq_s16(sum, vmlal_s8(p, vget_high_s8(c), vget_high_s8(values))); /* two products of 127 by 127 fit */
}

VIDX_INLINE int32x4_t wide_step(int32x4_t sum, uint8x16_t codes, int8x16_t values) {
  int16x8_t c0 = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
  int16x8_t c1 = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(codes)));
  int16x8_t q0 = vmovl_s8(vget_low_s8(values)), q1 = vmovl_s8(vget_high_s8(values));
  sum = vmlal_s16(sum, vget_low_s16(c0), vget_low_s16(q0));
  sum = vmlal_s16(sum, vget_high_s16(c0), vget_high_s16(q0));
  sum = vmlal_s16(sum, vget_low_s16(c1), vget_low_s16(q1));
  return vmlal_s16(sum, vget_high_s16(c1), vget_high_s16(q1));
}

VIDX_INLINE int32_t wide_correction(int32_t sum) {
  (void)sum;
  return 0;
}

#define VIDX_NEON_ISA neon
#include "code_neon.h"

const vidx_codes vidx_codes_neon = VIDX_CODE_TABLE(neon, "neon", );

#endif
