#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "f32.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

static int runs_here(const vidx_kernels *kernels) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (kernels == &vidx_kernels_avx512) return __builtin_cpu_supports("avx512f");
  if (kernels == &vidx_kernels_avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  (void)kernels; /* scalar needs nothing, and NEON is part of every aarch64 */
  return 1;
}

/* Best first. */
static const vidx_kernels *const all_kernels[] = {
#if defined(__x86_64__)
    &vidx_kernels_avx512,
    &vidx_kernels_avx2,
#elif defined(__aarch64__)
    &vidx_kernels_neon,
#endif
    &vidx_kernels_scalar,
};
enum { KERNELS_COUNT = sizeof all_kernels / sizeof all_kernels[0] };

static const vidx_kernels *active_kernels = &vidx_kernels_scalar;

const vidx_kernels *vidx_kernels_named(const char *isa) {
  for (int i = 0; i < KERNELS_COUNT; i++)
    if (strcmp(all_kernels[i]->isa, isa) == 0) return runs_here(all_kernels[i]) ? all_kernels[i] : NULL;
  return NULL;
}

const vidx_kernels *vidx_kernels_chosen(const char *forced) {
  const vidx_kernels *named = forced ? vidx_kernels_named(forced) : NULL;
  if (named) return named;
  for (int i = 0; i < KERNELS_COUNT; i++)
    if (runs_here(all_kernels[i])) return all_kernels[i];
  return &vidx_kernels_scalar;
}

#if defined(__x86_64__)
static vidx_codes popcount_codes; /* those of AVX-512, with the kernels of VPOPCNTDQ */
#endif

__attribute__((constructor)) static void choose_kernels(void) {
  active_kernels = vidx_kernels_chosen(getenv("VIDX_ISA"));
#if defined(__x86_64__)
  popcount_codes = vidx_codes_avx512;
  popcount_codes.isa = "avx512+vpopcntdq";
  popcount_codes.bits = vidx_bits_popcount;
  popcount_codes.bits_blocks = vidx_bits_blocks_popcount;
#endif
}

const vidx_kernels *vidx_kernels_active(void) { return active_kernels; }

#if defined(__x86_64__)
static const vidx_codes *codes_of(const vidx_kernels *kernels) {
  const int has_halves = __builtin_cpu_supports("f16c");
  if (kernels == &vidx_kernels_scalar || !has_halves) return &vidx_codes_scalar;
  if (kernels == &vidx_kernels_avx512 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
    return __builtin_cpu_supports("avx512vpopcntdq") ? &popcount_codes : &vidx_codes_avx512;
  return &vidx_codes_avx2; /* every CPU with AVX-512 has AVX2 and FMA */
}
#elif defined(__aarch64__)
static int has_dot_product(void) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & (1ul << 20)) != 0; /* HWCAP_ASIMDDP */
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, NULL, 0) == 0 && has;
#else
  return 0;
#endif
}

static const vidx_codes *codes_of(const vidx_kernels *kernels) {
  if (kernels == &vidx_kernels_scalar) return &vidx_codes_scalar;
  return has_dot_product() ? &vidx_codes_neon_dot : &vidx_codes_neon;
}
#else
static const vidx_codes *codes_of(const vidx_kernels *kernels) {
  (void)kernels;
  return &vidx_codes_scalar;
}
#endif

const vidx_codes *vidx_codes_active(void) { return codes_of(active_kernels); }

/* The codes of a part of what this CPU has. */
static const vidx_codes *partial_codes(const char *isa) {
#if defined(__x86_64__)
  if (strcmp(isa, vidx_codes_avx512.isa) == 0 && codes_of(&vidx_kernels_avx512) == &popcount_codes)
    return &vidx_codes_avx512;
#endif
  (void)isa;
  return NULL;
}

const vidx_codes *vidx_codes_named(const char *isa) {
  const vidx_kernels *kernels = vidx_kernels_named(isa);
  return kernels ? codes_of(kernels) : partial_codes(isa);
}
