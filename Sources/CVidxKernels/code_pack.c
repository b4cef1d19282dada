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
