#ifndef CVIDXKERNELS_H
#define CVIDXKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "CVidxCodes.h"

#pragma clang assume_nonnull begin

#define VIDX_INLINE static inline __attribute__((always_inline))

/* Scores: smaller is nearer, always. neg_dot = -<q,v>; l2sq = sum (q-v)^2; l1 = sum |q-v|. f32 in, f32 out; a NaN
 * among the terms gives NaN. The four forms give the same bits for the same pair on one instruction set; between
 * instruction sets scores differ by the order of addition. Nothing beyond n floats is read. */

/* One vector. n: dimensions. Any alignment. */
typedef float (*vidx_score_one_f32)(const float *query, const float *vector, size_t n);

/* Four vectors at once; shares the loads of the query. out[0..3]. */
typedef void (*vidx_score_four_f32)(const float *query, const float *v0, const float *v1, const float *v2,
                                    const float *v3, size_t n, float *out);

/* A contiguous block: `count` rows, `stride` floats apart (stride >= n). out[0..count-1]. */
typedef void (*vidx_score_rows_f32)(const float *query, const float *rows, size_t stride, size_t count, size_t n,
                                    float *out);

/* Scattered rows: row ids[i] of `base`, `stride` floats apart; prefetches the next four rows while it scores four, so
 * a long list of ids beats several short ones. out[0..count-1]. */
typedef void (*vidx_score_ids_f32)(const float *query, const float *base, size_t stride, const uint32_t *ids,
                                   size_t count, size_t n, float *out);

typedef struct {
  vidx_score_one_f32 one;
  vidx_score_four_f32 four;
  vidx_score_rows_f32 rows;
  vidx_score_ids_f32 ids;
} vidx_metric_kernels;

/* C[m x n] = A[m x k] * B[n x k]^T, row-major, leading dimensions in floats, on at most `threads` threads. May be
 * called from several threads at once. Packs both operands: below some 16 rows of A, `rows` is faster. */
typedef void (*vidx_sgemm_nt_f32)(const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc,
                                  size_t m, size_t n, size_t k, int threads);

/* The pool of a graph search, of any size and in place (that of a build: vidx_pool_merge): `*count` candidates, scores
 * ascending, `tags` beside them; both arrays have room for `capacity` + 16. Inserts those of a block that are nearer
 * than the farthest of a full pool, each behind its equals; the farthest drop out. Scores are not NaN. Returns the
 * lowest place that was filled, `capacity` when none was. */
typedef size_t (*vidx_insert_candidates)(float *scores, uint32_t *tags, size_t *count, size_t capacity,
                                         const float *block, const uint32_t *ids, size_t n);

typedef struct {
  const char *isa; /* "scalar", "avx2", "avx512", "neon" */
  vidx_metric_kernels neg_dot;
  vidx_metric_kernels l2sq;
  vidx_metric_kernels l1;
  vidx_sgemm_nt_f32 sgemm_nt; /* our own; `vidx_sgemm_nt` chooses between this and a BLAS */
  vidx_insert_candidates insert_candidates;
} vidx_kernels;

/* The table chosen once at load: the best this CPU has, or what VIDX_ISA names when the CPU has it. */
const vidx_kernels *vidx_kernels_active(void);

/* The table of one instruction set, or NULL when it is unknown or this CPU lacks it. */
const vidx_kernels *_Nullable vidx_kernels_named(const char *isa);

/* How the active table is chosen: the one `forced` names when this CPU has it, or else (NULL, unknown) the best. */
const vidx_kernels *vidx_kernels_chosen(const char *_Nullable forced);

/* CRC-32C (Castagnoli), as in RFC 3720; start with crc = 0. Hardware when there is any. */
uint32_t vidx_crc32c(uint32_t crc, const void *_Nullable data, size_t length);

/* The same without special instructions: what `vidx_crc32c` uses where there are none, and is tested against. */
uint32_t vidx_crc32c_software(uint32_t crc, const void *_Nullable data, size_t length);

/* That product by the fastest means at hand: the active table's own kernels on AVX2 and AVX-512, where they equal
 * the best BLAS; else OpenBLAS or Accelerate when one can be loaded at first use (there is no link-time dependency).
 * VIDX_BLAS=own or VIDX_BLAS=system decides otherwise; a system without a BLAS falls back to our own. Calls that run at
 * the same time should agree on `threads`, which is one setting for all of a BLAS. */
void vidx_sgemm_nt(const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc, size_t m, size_t n,
                   size_t k, int threads);

/* Where biases[i] - products[i] is least (biases NULL: -products[i]), the first of equals, and how much that is.
 * count >= 1; no NaN. */
size_t vidx_nearest_of_products(const float *products, const float *_Nullable biases, size_t count, float *least);

/* Where biases[i] - products[i] (biases NULL: -products[i]) is at most `limit`, ascending; returns how often. `out` has
 * room for `count`. */
size_t vidx_select_of_products(const float *products, const float *_Nullable biases, size_t count, float limit,
                               uint32_t *out);

/* How many bits are set. */
size_t vidx_count_bits(const uint64_t *words, size_t count);

/* The squared length, in double: the same bits on every instruction set. */
double vidx_sum_of_squares(const float *vector, size_t n);

/* Who multiplies: "openblas", "accelerate" or "own". Loads it. */
const char *vidx_blas_name(void);

/* Begins to write a range of a file to the device, where the system can be asked to. */
void vidx_begin_writing(int file, int64_t offset, int64_t length);

VIDX_INLINE void vidx_prefetch(const void *p) { __builtin_prefetch(p, 0, 3); }

VIDX_INLINE void vidx_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#pragma clang assume_nonnull end

#include "CVidxBytes.h"
#endif
