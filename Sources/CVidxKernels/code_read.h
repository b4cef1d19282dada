/* Included once by each file code_<isa>.c inside its target attribute: reading memory and doing nothing else, the
 * ceiling that benchmarks hold kernels against. */

typedef uint64_t vidx_u64x8 __attribute__((vector_size(64)));

VIDX_INLINE uint64_t vidx_read(const void *memory, size_t bytes) {
  const uint8_t *p = memory;
  vidx_u64x8 sum[4] = {{0}};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
      vidx_u64x8 line;
      memcpy(&line, p + i + 64 * j, sizeof line);
      sum[j] ^= line;
    }
  }
  vidx_u64x8 all = (sum[0] ^ sum[1]) ^ (sum[2] ^ sum[3]);
  uint64_t result = 0;
  for (int i = 0; i < 8; i++) result ^= all[i];
  return result;
}

#define VIDX_READ_ENTRY_POINT(isa)                                                                                     \
  static uint64_t read_##isa(const void *memory, size_t bytes) { return vidx_read(memory, bytes); }
