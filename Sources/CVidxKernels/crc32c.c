#include <string.h>

#include "CVidxKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <arm_neon.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

/* CRC-32C: polynomial 0x1EDC6F41, bits reflected, register starting from and delivered as its complement. Functions
 * named *_register work on the bare register. */

static inline uint64_t load_u64(const uint8_t *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

/* MARK: Software: eight bytes a step, one table for each (Kounavis & Berry, "slicing-by-8") */

static uint32_t slices[8][256];

static void fill_slices(void) {
  const uint32_t reflected_polynomial = 0x82F63B78;
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? reflected_polynomial : 0);
    slices[0][byte] = crc;
  }
  for (int s = 1; s < 8; s++)
    for (int byte = 0; byte < 256; byte++)
      slices[s][byte] = (slices[s - 1][byte] >> 8) ^ slices[0][slices[s - 1][byte] & 0xFF];
}

static uint32_t software_register(uint32_t crc, const uint8_t *p, size_t length) {
  for (; length >= 8; length -= 8, p += 8) {
    uint64_t word = load_u64(p) ^ crc; /* little-endian machines only, as the file format */
    crc = 0;
    for (int s = 0; s < 8; s++) crc ^= slices[7 - s][(word >> (8 * s)) & 0xFF];
  }
  for (; length > 0; length--) crc = (crc >> 8) ^ slices[0][(crc ^ *p++) & 0xFF];
  return crc;
}

/* MARK: Hardware: the CRC instruction takes three cycles but one can start in each, so three lanes run side by side */

#if defined(__x86_64__)
#define HARDWARE_TARGET __attribute__((target("sse4.2,pclmul")))

HARDWARE_TARGET VIDX_INLINE uint32_t step_u8(uint32_t crc, uint8_t byte) { return _mm_crc32_u8(crc, byte); }

HARDWARE_TARGET VIDX_INLINE uint32_t step_u64(uint32_t crc, uint64_t word) {
  return (uint32_t)_mm_crc32_u64(crc, word);
}

HARDWARE_TARGET VIDX_INLINE uint64_t carryless_product(uint32_t a, uint32_t b) {
  __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)a), _mm_cvtsi32_si128((int)b), 0);
  return (uint64_t)_mm_cvtsi128_si64(product);
}

static int has_hardware(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__)
#define HARDWARE_TARGET __attribute__((target("crc,aes")))

HARDWARE_TARGET VIDX_INLINE uint32_t step_u8(uint32_t crc, uint8_t byte) { return __crc32cb(crc, byte); }

HARDWARE_TARGET VIDX_INLINE uint32_t step_u64(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }

HARDWARE_TARGET VIDX_INLINE uint64_t carryless_product(uint32_t a, uint32_t b) {
  return (uint64_t)vgetq_lane_u64(vreinterpretq_u64_p128(vmull_p64(a, b)), 0);
}

static int has_hardware(void) {
#if defined(__linux__)
  const unsigned long needed = HWCAP_CRC32 | HWCAP_PMULL;
  return (getauxval(AT_HWCAP) & needed) == needed;
#else
  return 1; /* every Apple CPU */
#endif
}
#endif

#if defined(HARDWARE_TARGET)

/* Bytes of a lane, and the factors that carry a register over `distance` = one and two lanes of zeros, that is,
 * multiply it by x^(8 distance): x^(8 distance - 33) mod P, reflected. A product of reflected values is off by one
 * place, and `step_u64` multiplies by x^32: together the missing 33. */
struct lane {
  size_t bytes;
  uint32_t over_one, over_two;
};

HARDWARE_TARGET VIDX_INLINE uint32_t three_lanes(uint32_t crc, const uint8_t *p, struct lane lane) {
  uint32_t second = 0, third = 0;
  for (size_t i = 0; i < lane.bytes; i += 8) {
    crc = step_u64(crc, load_u64(p + i));
    second = step_u64(second, load_u64(p + i + lane.bytes));
    third = step_u64(third, load_u64(p + i + 2 * lane.bytes));
  }
  return step_u64(0, carryless_product(crc, lane.over_two) ^ carryless_product(second, lane.over_one)) ^ third;
}

HARDWARE_TARGET static uint32_t hardware_register(uint32_t crc, const uint8_t *p, size_t length) {
  static const struct lane lanes[] = {{2048, 0xA51B6135, 0x82F89C77}, {128, 0x0D3B6092, 0xB9E02B86}};
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++)
    for (; length >= 3 * lanes[i].bytes; length -= 3 * lanes[i].bytes, p += 3 * lanes[i].bytes)
      crc = three_lanes(crc, p, lanes[i]);
  for (; length >= 8; length -= 8, p += 8) crc = step_u64(crc, load_u64(p));
  for (; length > 0; length--) crc = step_u8(crc, *p++);
  return crc;
}
#endif

/* MARK: Choice */

static uint32_t (*best_register)(uint32_t, const uint8_t *, size_t) = software_register;

__attribute__((constructor)) static void choose_crc32c(void) {
  fill_slices();
#if defined(HARDWARE_TARGET)
  if (has_hardware()) best_register = hardware_register;
#endif
}

uint32_t vidx_crc32c(uint32_t crc, const void *data, size_t length) { return ~best_register(~crc, data, length); }

uint32_t vidx_crc32c_software(uint32_t crc, const void *data, size_t length) {
  return ~software_register(~crc, data, length);
}
