#include <stdlib.h>
#include <string.h>

#include "f32.h"

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

__attribute__((constructor)) static void choose_kernels(void) {
  active_kernels = vidx_kernels_chosen(getenv("VIDX_ISA"));
}

const vidx_kernels *vidx_kernels_active(void) { return active_kernels; }
