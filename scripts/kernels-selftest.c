/* Compares the kernels of the instruction sets named as arguments with the scalar ones, the hardware CRC with the
 * software one, and matrix products with naive loops. What Tests/VidxVectorsTests does in depth, for targets that run
 * under an emulator and have no Swift there. Exit code 0: all agree. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CVidxKernels.h"

enum { LONGEST = 1536, ROWS = 11 };

static int failures = 0;

static void check(int holds, const char *what, const char *isa, size_t n) {
  if (holds) return;
  failures++;
  printf("FAILED: %s of %s, n = %zu\n", what, isa, n);
}

static uint32_t random_state = 42;

static float random_float(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return (float)(random_state >> 8) / (float)(1 << 23) - 1;
}

/* So many roundings in a row, of a sum of n terms no larger than `term`. */
static double bound(size_t roundings, size_t n, double term) { return (double)roundings * 0x1p-24 * term * (double)n; }

static void check_metric(const char *isa, const char *metric, const vidx_metric_kernels *tested,
                         const vidx_metric_kernels *reference) {
  static float query[LONGEST + 1], rows[ROWS * LONGEST + 1];
  for (size_t i = 0; i <= LONGEST; i++) query[i] = random_float();
  for (size_t i = 0; i <= ROWS * LONGEST; i++) rows[i] = random_float();
  static const uint32_t ids[ROWS] = {3, 0, 10, 10, 7, 1, 2, 9, 5, 4, 8};

  for (size_t n = 1; n <= LONGEST; n = n < 80 ? n + 1 : n + 91) {
    float one[ROWS], by_rows[ROWS], by_ids[ROWS], four[4];
    const float *q = query + n % 2, *first = rows + n % 2; /* aligned and not */
    /* Sixteen lanes or more share the terms; squared differences reach 4. */
    const double allowed = bound(n / 16 + 12, n, 4);
    for (size_t r = 0; r < ROWS; r++) {
      one[r] = tested->one(q, first + r * n, n);
      check(fabs((double)one[r] - reference->one(q, first + r * n, n)) <= allowed, metric, isa, n);
    }
    tested->four(q, first, first + n, first + 2 * n, first + 3 * n, n, four);
    check(memcmp(four, one, sizeof four) == 0, "four", isa, n);
    tested->rows(q, first, n, ROWS, n, by_rows);
    check(memcmp(by_rows, one, sizeof one) == 0, "rows", isa, n);
    tested->ids(q, first, n, ids, ROWS, n, by_ids);
    for (size_t r = 0; r < ROWS; r++) check(memcmp(&by_ids[r], &one[ids[r]], sizeof(float)) == 0, "ids", isa, n);
  }
}

static void check_product(const char *isa, vidx_sgemm_nt_f32 multiply) {
  enum { M = 29, N = 35, K = 401 };
  static float a[M * K], b[N * K], c[M * N];
  for (size_t i = 0; i < M * K; i++) a[i] = random_float();
  for (size_t i = 0; i < N * K; i++) b[i] = random_float();
  multiply(a, K, b, K, c, N, M, N, K, 1);
  for (size_t i = 0; i < M; i++)
    for (size_t j = 0; j < N; j++) {
      double sum = 0;
      for (size_t p = 0; p < K; p++) sum += (double)a[i * K + p] * b[j * K + p];
      check(fabs(sum - c[i * N + j]) <= bound(K, K, 1), "matrix product", isa, K);
    }
}

static void check_crc(void) {
  static uint8_t bytes[70000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(int)(random_float() * 1000);
  check(vidx_crc32c(0, "123456789", 9) == 0xE3069283, "CRC-32C", "hardware", 9);
  for (size_t n = 0; n < sizeof bytes - 8; n = n < 800 ? n + 1 : n + 1001)
    check(vidx_crc32c(7, bytes + n % 8, n) == vidx_crc32c_software(7, bytes + n % 8, n), "CRC-32C", "hardware", n);
}

/* Byte rows, to the bit, and pools of few different scores. */
static void check_bytes(const char *isa) {
  static float vectors[ROWS * LONGEST], centre[LONGEST];
  static uint8_t codes[ROWS * LONGEST];
  static vidx_byte_tail tails[ROWS];
  static int32_t sums[ROWS];
  static const uint32_t ids[ROWS] = {3, 0, 10, 10, 7, 1, 2, 9, 5, 4, 8};
  const vidx_bytes *tested = vidx_bytes_named(isa), *reference = vidx_bytes_named("scalar");
  for (size_t i = 0; i < ROWS * LONGEST; i++) vectors[i] = random_float();
  for (size_t n = 1; n <= LONGEST; n = n < 140 ? n + 1 : n + 87) {
    const vidx_byte_rows rows = {.codes = codes, .tails = tails, .sums = sums, .stride = (n + 63) & ~(size_t)63};
    float scores[ROWS], expected[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
      double error;
      tails[r].add = random_float();
      (void)vidx_byte_encode(vectors + r * n, centre, n, rows.stride, 1, codes + r * rows.stride, &tails[r].scale,
                             sums + r, &error);
    }
    for (size_t count = 0; count <= ROWS; count++) {
      tested->scores(&rows, count % ROWS, ids, count, scores);
      reference->scores(&rows, count % ROWS, ids, count, expected);
      check(memcmp(scores, expected, count * sizeof *scores) == 0, "byte scores", isa, n);
    }
  }

  enum { LIMIT = 100, ROOM = LIMIT + VIDX_POOL_SLACK };
  static float pool_scores[4][ROOM];
  static uint32_t pool_ids[4][ROOM];
  size_t counts[2] = {0, 0}, now = 0;
  for (uint32_t block = 0; block < 60; block++) {
    float scores[VIDX_POOL_BLOCK];
    uint32_t offered[VIDX_POOL_BLOCK];
    const size_t size = block % 4 == 0 ? VIDX_POOL_BLOCK : block % 20;
    for (size_t i = 0; i < size; i++) scores[i] = floorf(random_float() * 9), offered[i] = block * 64 + (uint32_t)i;
    size_t first[2];
    for (size_t k = 0; k < 2; k++) {
      const vidx_pool from = {pool_scores[2 * k + now], pool_ids[2 * k + now]};
      const vidx_pool to = {pool_scores[2 * k + 1 - now], pool_ids[2 * k + 1 - now]};
      first[k] = (k ? reference : tested)->merge(&from, &counts[k], LIMIT, scores, offered, size, &to);
    }
    check(first[0] == first[1] && counts[0] == counts[1], "pool", isa, block);
    if (first[0] < LIMIT) now = 1 - now;
    check(memcmp(pool_ids[now], pool_ids[2 + now], counts[0] * sizeof **pool_ids) == 0, "pool's ids", isa, block);
  }
}

int main(int count, char **names) {
  const vidx_kernels *scalar = vidx_kernels_named("scalar");
  for (int i = 1; i < count; i++) {
    const vidx_kernels *kernels = vidx_kernels_named(names[i]);
    if (!kernels) {
      printf("FAILED: no %s here\n", names[i]);
      return 1;
    }
    check_metric(kernels->isa, "neg_dot", &kernels->neg_dot, &scalar->neg_dot);
    check_metric(kernels->isa, "l2sq", &kernels->l2sq, &scalar->l2sq);
    check_metric(kernels->isa, "l1", &kernels->l1, &scalar->l1);
    check_product(kernels->isa, kernels->sgemm_nt);
    check_bytes(kernels->isa);
  }
  check_crc();
  printf("%s by default; %d failures\n", vidx_kernels_active()->isa, failures);
  return failures > 0;
}
