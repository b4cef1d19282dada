#ifndef CVIDXBYTES_H
#define CVIDXBYTES_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* Rows of signed bytes to build graphs on: about four times less to fetch than floats, and any row serves as a query as
 * it is. With x the vector less a centre, v = round(x / scale) in -127...127:
 *
 *     score(a, b) = (add a + add b) - scale a * scale b * (v a . v b)
 *
 * in f32, in this order, without fused steps: the same bits on every instruction set, and score(a, b) = score(b, a).
 * For l2 add = |x|^2, and the scale holds the root of 2; for inner products add = -<x, centre> - |centre|^2 / 2. */

typedef struct {
  float add;
  float scale;
} vidx_byte_tail;

typedef struct {
  const uint8_t *codes;        /* v + 128, in rows of `stride` bytes that are padded with 128 */
  const vidx_byte_tail *tails; /* of each row */
  const int32_t *sums;         /* of each row: 128 times the sum of v */
  size_t stride;               /* a multiple of 64 */
} vidx_byte_rows;

/* Scores of row `query` against rows ids[0..<count]; fetches the next rows while it scores some. */
typedef void (*vidx_byte_scores)(const vidx_byte_rows *rows, size_t query, const uint32_t *ids, size_t count,
                                 float *out);

/* Candidates sorted by score. Both arrays have room for VIDX_POOL_SLACK more than are kept, which is written to. */
typedef struct {
  float *scores;
  uint32_t *ids;
} vidx_pool;
enum { VIDX_POOL_SLACK = 16 };

/* Merges at most VIDX_POOL_BLOCK candidates, in any order, with the `count` of a pool: the nearest `limit` (at most
 * VIDX_POOL_LIMIT), equal scores in order of arrival, make the merged pool, and `count` becomes theirs. Returns the
 * first place that differs; `limit` when nothing was near enough, and then `merged` is not written. */
enum { VIDX_POOL_BLOCK = 64, VIDX_POOL_LIMIT = 4096 };
typedef size_t (*vidx_pool_merge)(const vidx_pool *pool, size_t *count, size_t limit, const float *scores,
                                  const uint32_t *ids, size_t offered, const vidx_pool *merged);

/* Rows that are to be scored against many others, as each instruction set multiplies fastest. All arrays have room for
 * `count` rounded up to VIDX_BYTE_WIDTH; `codes` is aligned to 64 bytes. Scores against the filling are infinite. */
enum { VIDX_BYTE_WIDTH = 16, VIDX_BYTE_COLUMNS = 1024 };
typedef struct {
  uint8_t *codes;
  float *adds;
  float *scales;
  int32_t *sums;
  size_t count; /* at most VIDX_BYTE_COLUMNS */
} vidx_byte_columns;

/* Fills `columns`, which has the memory, with rows ids[0..<count]. */
typedef void (*vidx_byte_pack)(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                               vidx_byte_columns *columns);

/* Scores of rows ids[0..<count], at most VIDX_BYTE_PANEL, against all columns, with the bits that vidx_byte_scores
 * gives: as many rows of `out` as there are ids, each of the columns' count rounded up to VIDX_BYTE_WIDTH. */
enum { VIDX_BYTE_PANEL = 8 };
typedef void (*vidx_byte_panel)(const vidx_byte_rows *rows, const uint32_t *ids, size_t count,
                                const vidx_byte_columns *columns, float *out);

/* The places of the k (at most VIDX_BYTE_NEAREST) least of the finite scores, least first, equal ones in order; `count`
 * is a multiple of VIDX_BYTE_WIDTH. Returns how many there are. */
enum { VIDX_BYTE_NEAREST = 32 };
typedef size_t (*vidx_byte_nearest)(const float *scores, size_t count, size_t k, uint32_t *places);

typedef struct {
  const char *isa; /* "scalar", "avx2", "avx512", "neon" */
  vidx_byte_scores scores;
  vidx_pool_merge merge;
  vidx_byte_pack pack;
  vidx_byte_panel panel;
  vidx_byte_nearest nearest;
} vidx_bytes;

/* The kernels that go with the active table of CVidxKernels.h; a CPU with AVX-512 but without its byte products has
 * those of AVX2. */
const vidx_bytes *vidx_bytes_active(void);

/* Those of an instruction set, or NULL when it is unknown or this CPU lacks it. */
const vidx_bytes *_Nullable vidx_bytes_named(const char *isa);

/* Codes a vector of n floats (those of `centre` are subtracted first) into a row of `stride` bytes. `factor` is what
 * the scale is multiplied with. Returns |x|^2; |x - decoded|^2 goes to `error`. The same bits everywhere. */
double vidx_byte_encode(const float *vector, const float *centre, size_t n, size_t stride, double factor,
                        uint8_t *codes, float *scale, int32_t *sum, double *error);

#pragma clang assume_nonnull end
#endif
