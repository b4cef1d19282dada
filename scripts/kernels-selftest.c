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

/* A query of small integers over rows of any codes, whose tails are of moderate size. */
static void check_estimates(const vidx_codes *tested, const vidx_codes *reference, const char *code,
                            const vidx_code_kernels *kernels, const vidx_code_kernels *expected, size_t n,
                            size_t code_bytes, const int8_t *values, const uint8_t *planes, const uint8_t *rows) {
  static const uint32_t ids[ROWS] = {3, 0, 10, 10, 7, 1, 2, 9, 5, 4, 8};
  const size_t stride = code_bytes + 16;
  vidx_code_query query = {.values = values, .dimensions = n, .code_bytes = code_bytes, .scale = 0.01, .constant = 0.5};
  for (size_t i = 0; i < n; i++) query.sum += values[i];
  query.planes = planes, query.coarse_scale = 0.1, query.coarse_sum = -17, query.error_spread = 0.3;
  query.error_scale = 0.1, query.error_shift = 0.2, query.error_root = 1.5, query.root_shift = 3;
  query.error_square = 4, query.error_constant = 1e-3, query.error_rounding = 1e-6;
  float a[ROWS], b[ROWS], bound_a[ROWS], bound_b[ROWS];
  expected->bounded_rows(&query, rows, stride, ROWS, b, bound_b);
  kernels->bounded_rows(&query, rows, stride, ROWS, a, bound_a);
  check(!memcmp(a, b, sizeof a) && !memcmp(bound_a, bound_b, sizeof a), code, tested->isa, n);
  kernels->rows(&query, rows, stride, ROWS, a);
  check(memcmp(a, b, sizeof a) == 0, "rows of codes", tested->isa, n);
  kernels->ids(&query, rows, stride, ids, ROWS, a);
  for (size_t r = 0; r < ROWS; r++) check(memcmp(&a[r], &b[ids[r]], sizeof(float)) == 0, "ids", tested->isa, n);

  /* The same rows as extensions of one another. */
  const vidx_code_refine refine[3] = {tested->refine2, tested->refine4, tested->refine6};
  const vidx_code_refine refine_expected[3] = {reference->refine2, reference->refine4, reference->refine6};
  for (int bits = 0; kernels == &tested->bits && bits < 3; bits++) {
    refine[bits](&query, rows, stride, rows + 64, 32, ids, ROWS, a, bound_a);
    refine_expected[bits](&query, rows, stride, rows + 64, 32, ids, ROWS, b, bound_b);
    check(!memcmp(a, b, sizeof a) && !memcmp(bound_a, bound_b, sizeof a), "refinement", tested->isa, n);
  }
}

/* The same bits as the scalar ones, rotations and codes of vectors included. */
static void check_codes(const vidx_codes *tested, const vidx_codes *reference) {
  static float x[LONGEST + 16], y[LONGEST + 16];
  static int8_t values[LONGEST + VIDX_QUERY_PADDING], other_values[LONGEST];
  static uint8_t rows[ROWS * (LONGEST + 16) + 4096], codes[LONGEST], other_codes[LONGEST];
  static uint8_t planes[LONGEST], other_planes[LONGEST];
  static uint32_t signs[4 * LONGEST];
  for (size_t i = 0; i < 4 * LONGEST; i++) signs[i] = random_float() < 0 ? 0x80000000 : 0;
  for (size_t n = 1; n <= LONGEST; n = n < 200 ? n + 1 : n + 191) {
    for (size_t i = 0; i < n; i++) x[i] = y[i] = random_float() + random_float();
    tested->rotate(x, n, signs);
    reference->rotate(y, n, signs);
    check(memcmp(x, y, n * sizeof *x) == 0, "rotation", tested->isa, n);
    for (int levels = 0; levels <= 256; levels = levels < 6 ? levels + 2 : levels < 16 ? 16 : levels + 240) {
      vidx_code_fit fit, other_fit;
      const int is_signs = levels < 16;
      (is_signs ? tested->fit_signs : tested->fit_levels)(x, n, levels, codes, &fit);
      (is_signs ? reference->fit_signs : reference->fit_levels)(x, n, levels, other_codes, &other_fit);
      check(!memcmp(&fit, &other_fit, sizeof fit) && !memcmp(codes, other_codes, n), "codes", tested->isa, n);
    }
    vidx_query_fit fit, other_fit;
    memset(&fit, 0, sizeof fit), memset(&other_fit, 0, sizeof fit);
    memset(values, 0, sizeof values);
    tested->fit_query(x, n, values, &fit);
    reference->fit_query(x, n, other_values, &other_fit);
    check(!memcmp(&fit, &other_fit, sizeof fit) && !memcmp(values, other_values, n), "query", tested->isa, n);

    tested->fit_planes(x, n, planes, &fit);
    reference->fit_planes(x, n, other_planes, &other_fit);
    const size_t plane_bytes = (n + 127) / 128 * 64;
    const int are_equal = !memcmp(&fit, &other_fit, sizeof fit) && !memcmp(planes, other_planes, plane_bytes);
    check(are_equal, "planes", tested->isa, n);

    const size_t bytes[3] = {(n + 15) / 16 * 16, ((n + 1) / 2 + 15) / 16 * 16, ((n + 7) / 8 + 15) / 16 * 16};
    const vidx_code_kernels *kernels[3] = {&tested->int8, &tested->int4, &tested->bits};
    const vidx_code_kernels *expected[3] = {&reference->int8, &reference->int4, &reference->bits};
    for (int code = 0; code < 3; code++) {
      uint8_t *first = rows + n % 5;
      for (size_t i = 0; i < sizeof rows - 5; i++) first[i] = (uint8_t)(int)(random_float() * 1000);
      /* As floats, these bytes are of moderate size wherever a tail is. */
      for (size_t i = 3; i < sizeof rows - 5; i += 4) first[i] = (uint8_t)(0x3d + first[i] % 4);
      const char *names[3] = {"int8", "int4", "bits"};
      check_estimates(tested, reference, names[code], kernels[code], expected[code], n, bytes[code], values, planes,
                      first);
    }
  }
}

/* Scores of halves, whose order of addition differs, and the conversions. */
static void check_halves(const vidx_codes *tested, const vidx_codes *reference) {
  enum { HALVES = 1536 };
  static float query_floats[HALVES], x[HALVES], y[HALVES];
  static uint16_t rows[ROWS * HALVES], others[ROWS * HALVES];
  for (size_t i = 0; i < HALVES; i++) query_floats[i] = random_float();
  for (size_t r = 0; r < ROWS; r++) {
    for (size_t i = 0; i < HALVES; i++) x[i] = random_float() * (i % 3 ? 1 : 1e-7f);
    tested->to_half(x, HALVES, rows + r * HALVES);
    reference->to_half(x, HALVES, others + r * HALVES);
    tested->from_half(rows + r * HALVES, HALVES, x);
    reference->from_half(rows + r * HALVES, HALVES, y);
    check(!memcmp(x, y, sizeof x), "halves to floats", tested->isa, HALVES);
  }
  check(!memcmp(rows, others, sizeof rows), "floats to halves", tested->isa, HALVES);
  const vidx_code_kernels *kernels[3] = {&tested->f16_neg_dot, &tested->f16_l2sq, &tested->f16_l1};
  const vidx_code_kernels *expected[3] = {&reference->f16_neg_dot, &reference->f16_l2sq, &reference->f16_l1};
  for (size_t n = 32; n <= HALVES; n += 160) {
    vidx_code_query query = {.floats = query_floats, .dimensions = n, .error_scale = 1e-3, .error_shift = 1e-2};
    for (int metric = 0; metric < 3; metric++) {
      float a[ROWS], b[ROWS], bound_a[ROWS], bound_b[ROWS];
      kernels[metric]->bounded_rows(&query, rows, 2 * n, ROWS, a, bound_a);
      expected[metric]->bounded_rows(&query, rows, 2 * n, ROWS, b, bound_b);
      for (size_t r = 0; r < ROWS; r++) {
        check(fabs((double)a[r] - b[r]) <= bound(n / 8 + 12, n, 4), "f16", tested->isa, n);
        check(fabs((double)bound_a[r] - bound_b[r]) <= bound(n + 12, n, 4), "bounds of f16", tested->isa, n);
      }
    }
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
    check_codes(vidx_codes_named(names[i]), vidx_codes_named("scalar"));
    check_halves(vidx_codes_named(names[i]), vidx_codes_named("scalar"));
  }
  check_crc();
  printf("%s by default, codes by %s; %d failures\n", vidx_kernels_active()->isa, vidx_codes_active()->isa, failures);
  return failures > 0;
}
