#include "sgemm.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A packed, blocked product after Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). B
 * is packed in panels of `columns` rows (columns of C), A in panels of `rows`; a tile kernel multiplies one panel of
 * each and keeps its rows x columns of C in registers. */

typedef void (*tile_kernel)(const float *a_panel, const float *b_panel, size_t k, float *c, size_t ldc, int accumulate);

typedef struct {
  size_t rows, columns;
  tile_kernel multiply;
} tiling;

/* Block sizes in floats: a block of A stays in the L2 cache, a panel of B nearly in L1. A multiple of all `rows`, a
 * multiple of all `columns`, and terms enough to repay loading and storing the tile. */
enum { A_BLOCK = 192, B_BLOCK = 1024, K_BLOCK = 384, LARGEST_TILE = 12 * 32 };

/* MARK: Tiles */

/* The kernel of one tile of rows_ x (2 lanes_). Plain vector arithmetic: with the target's FMA it contracts. */
#define DEFINE_TILE(name, target_, lanes_, rows_)                                                                      \
  typedef float vector_##name __attribute__((vector_size(4 * lanes_)));                                                \
  typedef float memory_##name __attribute__((vector_size(4 * lanes_), aligned(4), may_alias));                         \
  target_ static void multiply_##name(const float *a, const float *b, size_t k, float *c, size_t ldc,                  \
                                      int accumulate) {                                                                \
    vector_##name sum[rows_][2];                                                                                       \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < rows_; i++) {                                            \
      sum[i][0] = sum[i][1] = (vector_##name){0};                                                                      \
    }                                                                                                                  \
    for (size_t p = 0; p < k; p++, a += rows_, b += 2 * lanes_) {                                                      \
      const vector_##name b0 = *(const memory_##name *)b, b1 = *(const memory_##name *)(b + lanes_);                   \
      _Pragma("clang loop unroll(full)") for (size_t i = 0; i < rows_; i++) {                                          \
        sum[i][0] += a[i] * b0;                                                                                        \
        sum[i][1] += a[i] * b1;                                                                                        \
      }                                                                                                                \
    }                                                                                                                  \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < rows_; i++) {                                            \
      memory_##name *row = (memory_##name *)(c + i * ldc);                                                             \
      row[0] = accumulate ? row[0] + sum[i][0] : sum[i][0];                                                            \
      row[1] = accumulate ? row[1] + sum[i][1] : sum[i][1];                                                            \
    }                                                                                                                  \
  }                                                                                                                    \
  static const tiling tiling_##name = {rows_, 2 * lanes_, multiply_##name};

/* Rows as many as the registers hold: two accumulators each, two vectors of B and one of A broadcast. Baseline x86-64
 * has vectors of four too. */
#if defined(__x86_64__)
DEFINE_TILE(avx512, __attribute__((target("avx512f"))), 16, 12)
DEFINE_TILE(avx2, __attribute__((target("avx2,fma"))), 8, 6)
#elif defined(__aarch64__)
DEFINE_TILE(neon, , 4, 12)
#endif
DEFINE_TILE(scalar, , 4, 6)

/* MARK: Packing */

typedef float quad __attribute__((vector_size(16)));
typedef float memory_quad __attribute__((vector_size(16), aligned(4), may_alias));

/* Four rows' floats 0..<4 into four columns, `width` floats apart. */
VIDX_INLINE void transpose_quads(const float *from, size_t ld, float *to, size_t width) {
  const quad r0 = *(const memory_quad *)from, r1 = *(const memory_quad *)(from + ld);
  const quad r2 = *(const memory_quad *)(from + 2 * ld), r3 = *(const memory_quad *)(from + 3 * ld);
  const quad low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  const quad low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  *(memory_quad *)to = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  *(memory_quad *)(to + width) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  *(memory_quad *)(to + 2 * width) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  *(memory_quad *)(to + 3 * width) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/* One panel: `count` rows of k floats, transposed to k x width; columns beyond `count` zero. */
static void pack_panel(const float *from, size_t ld, size_t count, size_t k, size_t width, float *to) {
  if (count < width) memset(to, 0, k * width * sizeof(float));
  const size_t whole = k & ~(size_t)15; /* a cache line of each row at a time */
  size_t i = 0;
  for (size_t p = 0; p < whole; p += 16)
    for (i = 0; i + 4 <= count; i += 4)
      for (size_t q = p; q < p + 16; q += 4) transpose_quads(from + i * ld + q, ld, to + q * width + i, width);
  for (; i < count; i++)
    for (size_t p = 0; p < whole; p++) to[p * width + i] = from[i * ld + p];
  for (size_t p = whole; p < k; p++)
    for (i = 0; i < count; i++) to[p * width + i] = from[i * ld + p];
}

/* `count` rows as panels of `width`. */
static void pack(const float *from, size_t ld, size_t count, size_t k, size_t width, float *to) {
  for (size_t first = 0; first < count; first += width)
    pack_panel(from + first * ld, ld, count - first < width ? count - first : width, k, width, to + first * k);
}

/* MARK: Blocks */

typedef struct {
  tiling tile;
  const float *a, *b;
  float *c;
  size_t lda, ldb, ldc, m, n, k;
} product;

static size_t smaller(size_t x, size_t y) { return x < y ? x : y; }

/* Packed: c (m x n) = or += a (m x k) * b (n x k)^T. */
typedef struct {
  const float *a, *b;
  float *c;
  size_t ldc, m, n, k;
  int accumulate;
} block;

/* A tile at the edge, whose kernel would write beyond C. */
static void multiply_edge(tiling tile, block x) {
  float whole[LARGEST_TILE];
  tile.multiply(x.a, x.b, x.k, whole, tile.columns, 0);
  for (size_t i = 0; i < x.m; i++)
    for (size_t j = 0; j < x.n; j++)
      x.c[i * x.ldc + j] = whole[i * tile.columns + j] + (x.accumulate ? x.c[i * x.ldc + j] : 0);
}

static void multiply_block(tiling tile, block x) {
  for (size_t j = 0; j < x.n; j += tile.columns)
    for (size_t i = 0; i < x.m; i += tile.rows) {
      block part = x;
      part.a += i * x.k, part.b += j * x.k, part.c += i * x.ldc + j;
      part.m = smaller(tile.rows, x.m - i), part.n = smaller(tile.columns, x.n - j);
      if (part.m == tile.rows && part.n == tile.columns)
        tile.multiply(part.a, part.b, part.k, part.c, part.ldc, part.accumulate);
      else
        multiply_edge(tile, part);
    }
}

static void *multiply(void *argument) {
  const product x = *(const product *)argument;
  float *a_packed = aligned_alloc(64, A_BLOCK * K_BLOCK * sizeof(float));
  float *b_packed = aligned_alloc(64, smaller(B_BLOCK, x.n + x.tile.columns) * K_BLOCK * sizeof(float));
  if (!a_packed || !b_packed) abort(); /* under 2 MB: as Swift's allocator does */

  for (size_t jc = 0; jc < x.n; jc += B_BLOCK)
    for (size_t pc = 0; pc < x.k; pc += K_BLOCK) {
      const size_t n = smaller(B_BLOCK, x.n - jc), k = smaller(K_BLOCK, x.k - pc);
      pack(x.b + jc * x.ldb + pc, x.ldb, n, k, x.tile.columns, b_packed);
      for (size_t ic = 0; ic < x.m; ic += A_BLOCK) {
        const size_t m = smaller(A_BLOCK, x.m - ic);
        pack(x.a + ic * x.lda + pc, x.lda, m, k, x.tile.rows, a_packed);
        multiply_block(x.tile, (block){a_packed, b_packed, x.c + ic * x.ldc + jc, x.ldc, m, n, k, pc > 0});
      }
    }
  free(a_packed);
  free(b_packed);
  return NULL;
}

/* MARK: Threads */

enum { MOST_THREADS = 64 };

/* Stripe `index` of `stripes` along the longer side of C, cut between tiles. */
static product stripe(product x, size_t index, size_t stripes) {
  const int by_rows = x.m >= x.n;
  const size_t side = by_rows ? x.m : x.n, unit = by_rows ? x.tile.rows : x.tile.columns;
  const size_t length = (side / stripes / unit + 1) * unit;
  const size_t start = smaller(side, index * length), end = smaller(side, start + length);
  if (by_rows) {
    x.a += start * x.lda, x.c += start * x.ldc, x.m = end - start;
  } else {
    x.b += start * x.ldb, x.c += start, x.n = end - start;
  }
  return x;
}

static void multiply_in_stripes(product x, int threads) {
  const size_t worth_a_thread = 1 << 23; /* multiplications: some 0.1 ms */
  if (x.k == 0)
    for (size_t i = 0; i < x.m; i++) memset(x.c + i * x.ldc, 0, x.n * sizeof(float));
  if (x.m == 0 || x.n == 0 || x.k == 0) return;

  size_t stripes = smaller(threads < 1 ? 1 : (size_t)threads, 1 + x.m * x.n * x.k / worth_a_thread);
  stripes = smaller(stripes, MOST_THREADS);
  product parts[MOST_THREADS];
  pthread_t workers[MOST_THREADS];
  int started[MOST_THREADS] = {0};
  for (size_t s = 0; s < stripes; s++) parts[s] = stripe(x, s, stripes);
  for (size_t s = 1; s < stripes; s++) started[s] = pthread_create(&workers[s], NULL, multiply, &parts[s]) == 0;
  multiply(&parts[0]);
  for (size_t s = 1; s < stripes; s++) {
    if (started[s])
      pthread_join(workers[s], NULL);
    else
      multiply(&parts[s]);
  }
}

/* MARK: Entry points */

#define DEFINE_SGEMM(isa)                                                                                              \
  void vidx_sgemm_nt_##isa(const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc, size_t m,     \
                           size_t n, size_t k, int threads) {                                                          \
    multiply_in_stripes((product){tiling_##isa, a, b, c, lda, ldb, ldc, m, n, k}, threads);                            \
  }

#if defined(__x86_64__)
DEFINE_SGEMM(avx512)
DEFINE_SGEMM(avx2)
#elif defined(__aarch64__)
DEFINE_SGEMM(neon)
#endif
DEFINE_SGEMM(scalar)
