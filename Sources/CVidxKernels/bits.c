#include "include/CVidxKernels.h"

#define COUNT_BITS(name)                                            \
  static size_t name(const uint64_t *words, size_t count) {         \
    size_t a = 0, b = 0, i = 0;                                     \
    for (; i + 2 <= count; i += 2) {                                \
      a += (size_t)__builtin_popcountll(words[i]);                  \
      b += (size_t)__builtin_popcountll(words[i + 1]);              \
    }                                                               \
    if (i < count) a += (size_t)__builtin_popcountll(words[i]);     \
    return a + b;                                                   \
  }

COUNT_BITS(count_bits)

#if defined(__x86_64__)
/* Not of the baseline, which counts by a dozen shifts and masks a word. */
__attribute__((target("popcnt"))) COUNT_BITS(count_bits_popcnt)

static size_t (*counter)(const uint64_t *, size_t) = count_bits;

__attribute__((constructor)) static void choose_counter(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("popcnt")) counter = count_bits_popcnt;
}
#else
static size_t (*const counter)(const uint64_t *, size_t) = count_bits;
#endif

size_t vidx_count_bits(const uint64_t *words, size_t count) { return counter(words, count); }
