#include "CVidxKernels.h"

void vidx_add_in_sequence(uint64_t count) {
  uint64_t sum = 0;
  const uint64_t one = 1;
  for (uint64_t i = 0; i < count; i += 16) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 16; j++) {
#if defined(__aarch64__)
      __asm__ volatile("add %0, %0, %1" : "+r"(sum) : "r"(one));
#elif defined(__x86_64__)
      __asm__ volatile("add %1, %0" : "+r"(sum) : "r"(one));
#else
      __asm__ volatile("" : "+r"(sum) : "r"(one));
      sum += one;
#endif
    }
  }
}
