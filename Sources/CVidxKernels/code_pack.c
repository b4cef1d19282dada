#include "code.h"

void vidx_code_pack(const uint8_t *codes, size_t dimensions, int bits, int shift, uint8_t *bytes, size_t count) {
  memset(bytes, 0, count);
  if (bits == 1) {
    for (size_t i = 0; i < dimensions; i++) bytes[i / 8] |= (uint8_t)((codes[i] >> shift & 1) << (i % 8));
    return;
  }
  const int mask = (1 << bits) - 1;
  int part = 0;
  for (size_t first = 0; first < dimensions; first += count, part += bits) {
    const size_t end = first + count < dimensions ? count : dimensions - first;
    for (size_t j = 0; j < end; j++) bytes[j] |= (uint8_t)((codes[first + j] >> shift & mask) << part);
  }
}

void vidx_code_unpack(const uint8_t *bytes, size_t count, size_t dimensions, int bits, int shift, uint8_t *codes) {
  if (bits == 1) {
    for (size_t i = 0; i < dimensions; i++) codes[i] |= (uint8_t)((bytes[i / 8] >> (i % 8) & 1) << shift);
    return;
  }
  const int mask = (1 << bits) - 1;
  int part = 0;
  for (size_t first = 0; first < dimensions; first += count, part += bits) {
    const size_t end = first + count < dimensions ? count : dimensions - first;
    for (size_t j = 0; j < end; j++) codes[first + j] |= (uint8_t)((bytes[j] >> part & mask) << shift);
  }
}

void vidx_code_transpose(const void *rows, size_t stride, size_t count, void *blocks) {
  const uint8_t *in = rows;
  uint8_t *out = blocks;
  const size_t end = (count + VIDX_BLOCK_ROWS - 1) / VIDX_BLOCK_ROWS * VIDX_BLOCK_ROWS;
  for (size_t i = 0; i < end; i += 4) {
    uint8_t *block = out + i / VIDX_BLOCK_ROWS * VIDX_BLOCK_ROWS * stride + 4 * (i % VIDX_BLOCK_ROWS);
    for (size_t j = 0; j < stride; j += 16) {
      vidx_i32x4 r[4];
      for (size_t k = 0; k < 4; k++) memcpy(&r[k], in + (i + k < count ? i + k : count - 1) * stride + j, 16);
      vidx_i32x4 low01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
      vidx_i32x4 low23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
      vidx_i32x4 high01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
      vidx_i32x4 high23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
      r[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
      r[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
      r[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
      r[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
      for (size_t k = 0; k < 4; k++) memcpy(block + (j / 4 + k) * 4 * VIDX_BLOCK_ROWS, &r[k], 16);
    }
  }
}
