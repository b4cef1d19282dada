#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "CVidxKernels.h"

/* Loaded by name, never linked: the loadable extension must start on a machine that has no BLAS, and OpenBLAS takes
 * 7 ms and a thread pool to load, which is the host's to pay only when it gains by it. */

typedef void (*cblas_sgemm_function)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                                     const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 }; /* cblas.h */

static struct {
  const char *name;
  cblas_sgemm_function sgemm;
  void (*set_threads)(int); /* NULL: the library has no such setting */
} blas = {.name = "own"};

static pthread_once_t blas_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t threads_mutex = PTHREAD_MUTEX_INITIALIZER;

/* A function out of dlsym, by the way POSIX prescribes: ISO C has no cast from void * to it. */
#define RESOLVE(library, symbol, function) (*(void **)&(function) = dlsym((library), (symbol)))

#if defined(__APPLE__)

static void load_system_blas(void) {
  void *library = dlopen("/System/Library/Frameworks/Accelerate.framework/Accelerate", RTLD_NOW | RTLD_LOCAL);
  if (library && RESOLVE(library, "cblas_sgemm", blas.sgemm)) blas.name = "accelerate";
}

#else

/* libblas.so.3 is Debian's name for whichever BLAS is installed. The reference implementation, at 4 GFLOP/s, is far
 * behind our own kernels: only OpenBLAS is taken, under either name. */
static void load_system_blas(void) {
  static const char *const names[] = {"libopenblas.so.0", "libblas.so.3"};
  for (int i = 0; i < 2; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) continue;
    if (dlsym(library, "openblas_get_config") && RESOLVE(library, "cblas_sgemm", blas.sgemm)) {
      RESOLVE(library, "openblas_set_num_threads", blas.set_threads);
      blas.name = "openblas";
      return;
    }
    dlclose(library);
  }
}

#endif

static int own_is_as_fast(void) {
  const vidx_kernels *active = vidx_kernels_active();
  return active == vidx_kernels_named("avx512") || active == vidx_kernels_named("avx2");
}

static void choose_blas(void) {
  const char *forced = getenv("VIDX_BLAS");
  if (forced && strcmp(forced, "own") == 0) return;
  const int system = forced && strcmp(forced, "system") == 0;
  if (system || !own_is_as_fast()) load_system_blas();
}

static void limit_threads(int threads) {
  static int current = 0;
  if (!blas.set_threads) return;
  pthread_mutex_lock(&threads_mutex);
  if (threads != current) blas.set_threads(threads);
  current = threads;
  pthread_mutex_unlock(&threads_mutex);
}

const char *vidx_blas_name(void) {
  pthread_once(&blas_once, choose_blas);
  return blas.name;
}

void vidx_sgemm_nt(const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc, size_t m, size_t n,
                   size_t k, int threads) {
  pthread_once(&blas_once, choose_blas);
  const int fits = m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX;
  if (!blas.sgemm || !fits || m == 0 || n == 0 || k == 0) {
    vidx_kernels_active()->sgemm_nt(a, lda, b, ldb, c, ldc, m, n, k, threads);
    return;
  }
  limit_threads(threads < 1 ? 1 : threads);
  blas.sgemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, 0, c, (int)ldc);
}
