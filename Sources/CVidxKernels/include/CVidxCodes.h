#ifndef CVIDXCODES_H
#define CVIDXCODES_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* Kernels over coded vectors; docs/CODECS.md has the formulas.
 *
 * A coded row of the integer codecs is its code, padded with zero bytes to a multiple of 16, then 16 bytes of four f32:
 * {add, scale, offset, error}. With I the integer dot product of the query's signed bytes and the row's unsigned codes,
 *
 *     estimate = (constant + add) + (scale * I + offset * sum) * query scale
 *
 * in double, in this order, without fused steps, rounded to f32 once: integer codecs give the same bits on every
 * instruction set. One-bit rows by themselves are scored with a coarser query, of four bits a value; with their
 * extensions, with the bytes. Rows of f16 and f32 are plain components, zero padded to 64 bytes, and have no tail. */

/* A query made ready. `values` and `floats` are zero from `dimensions` on: `values` for VIDX_QUERY_PADDING bytes,
 * `floats` up to a multiple of 32. */
enum { VIDX_QUERY_PADDING = 192 };

typedef struct {
  const int8_t *_Nullable values;  /* integer codecs */
  const uint8_t *_Nullable planes; /* one-bit rows: bits 0 to 3 of their values, the highest counting -8: for every 16
                                      bytes of code 16 of each plane, in whose bytes bits are as in the code's */
  const float *_Nullable floats;  /* f32 and f16 */
  size_t dimensions;
  size_t code_bytes;    /* of a row, without the tail */
  double scale;         /* of `values` */
  double sum;           /* of `values`, unscaled */
  double constant;      /* the score of the rows' centre */
  double error_scale;   /* bound = t (error_scale + error_root * root + error_square * t)                      */
  double error_shift;   /*         + error_constant + error_rounding * (|add| + |estimate|),                   */
  double error_root;    /* with t = error + error_shift and root = sqrt(max(estimate + root_shift, 0))        */
  double root_shift;
  double error_square;
  double error_constant;
  double error_rounding;
  double coarse_scale;  /* of the values in `planes` */
  double coarse_sum;    /* of these, unscaled */
  double error_spread;  /* one-bit rows: root((t error_scale)^2 + (error_spread scale)^2) instead of t (...) */
} vidx_code_query;

/* Scattered rows: row ids[i] of `base`, `stride` bytes apart, whose next rows are prefetched. out[0..count-1]. */
typedef void (*vidx_code_ids)(const vidx_code_query *query, const void *base, size_t stride, const uint32_t *ids,
                              size_t count, float *out);

/* A contiguous block: `count` rows, `stride` bytes apart. out[0..count-1]. */
typedef void (*vidx_code_rows)(const vidx_code_query *query, const void *rows, size_t stride, size_t count, float *out);

/* The same with the bounds on |estimate - score|. The estimates have the same bits. */
typedef void (*vidx_code_bounded_ids)(const vidx_code_query *query, const void *base, size_t stride,
                                      const uint32_t *ids, size_t count, float *out, float *bounds);
typedef void (*vidx_code_bounded_rows)(const vidx_code_query *query, const void *rows, size_t stride, size_t count,
                                       float *out, float *bounds);

/* A query that looks at blocks, and what it finds: `ids`, `scores` and `bounds` have room for all rows. */
typedef struct {
  const vidx_code_query *query;
  float share; /* of the bounds that is used, above 0 */
  float limit;
  uint32_t *ids;
  float *scores;
  float *bounds;
  size_t found;
} vidx_block_scan;

/* Rows of integer codes in blocks of sixteen, transposed by vidx_code_transpose: `count` of them, at which 1 to
 * VIDX_BLOCK_SCANS queries of one space look. Each gets the places, the estimates and `share` times the bounds of those
 * rows whose estimate less that is at most `limit`, ascending, and how many they are. Estimates and bounds have the
 * same bits as those of rows. */
enum { VIDX_BLOCK_ROWS = 16, VIDX_BLOCK_SCANS = 4 };
typedef void (*vidx_code_blocks)(vidx_block_scan *scans, size_t scan_count, const void *blocks, size_t count);

/* Estimates from one-bit rows together with the extension rows of the same ids; bounds may be NULL. */
typedef void (*vidx_code_refine)(const vidx_code_query *query, const void *base, size_t stride, const void *extensions,
                                 size_t extension_stride, const uint32_t *ids, size_t count, float *out,
                                 float *_Nullable bounds);

typedef struct {
  vidx_code_ids ids;
  vidx_code_rows rows;
  vidx_code_bounded_ids bounded_ids;
  vidx_code_bounded_rows bounded_rows;
} vidx_code_kernels;

/* What a vector's best codes say of it. Sums in double, over what the rounded offset and scale decode to. */
typedef struct {
  float offset, scale;  /* component ~ offset + scale * code */
  double norm;          /* sum of x^2 */
  double decoded_norm;  /* sum of decoded^2 */
  double product;       /* sum of x * decoded */
} vidx_code_fit;

typedef struct {
  double scale;       /* component ~ scale * value; the sum of x * scale * value is norm */
  double norm;        /* sum of x^2 */
  double value_norm;  /* sum of value^2, unscaled */
  int32_t sum;        /* of the values */
} vidx_query_fit;

typedef struct {
  const char *isa; /* "scalar", "avx2", "avx512+vnni", "avx512+vpopcntdq", "neon", "neon+dot" */
  vidx_code_kernels int8, int4, bits;
  vidx_code_kernels f16_neg_dot, f16_l2sq, f16_l1;
  vidx_code_kernels f32_neg_dot, f32_l2sq, f32_l1;
  vidx_code_refine refine2, refine4, refine6; /* extensions of so many bits */

  /* The orthogonal map of n floats in place, that `signs` choose: 4 n words, each 0 or 0x80000000. The same bits on
   * every instruction set, as the following. */
  void (*rotate)(float *x, size_t n, const uint32_t *signs);
  /* Its inverse. */
  void (*rotate_back)(float *x, size_t n, const uint32_t *signs);
  /* Codes 0...levels - 1 (16 or 256) of n floats, one a byte; product = norm, but for rounding. */
  void (*fit_levels)(const float *x, size_t n, int levels, uint8_t *codes, vidx_code_fit *fit);
  /* Signs of n floats (0 or 1, a byte each) with the unbiased scale of RaBitQ, which makes product = norm; with bits
   * (2, 4 or 6) of extension, codes of bits + 1 bits whose highest is the sign. */
  void (*fit_signs)(const float *x, size_t n, int bits, uint8_t *codes, vidx_code_fit *fit);
  /* Signed bytes of n floats. */
  void (*fit_query)(const float *x, size_t n, int8_t *values, vidx_query_fit *fit);
  /* Values -7...7 of n floats as planes, which have as many bytes as 4 n bits need, rounded up to 64. */
  void (*fit_planes)(const float *x, size_t n, uint8_t *planes, vidx_query_fit *fit);
  /* Sum of a[i] * b[i] in double. */
  double (*dot)(const float *a, const float *b, size_t n);
  /* n halves from floats and back; n is a multiple of 16. To nearest, ties to even; beyond the range infinite. */
  void (*to_half)(const float *x, size_t n, uint16_t *halves);
  void (*from_half)(const uint16_t *halves, size_t n, float *x);
  /* Reads memory, 256 bytes at a time, and does nothing else: the ceiling of benchmarks. Some function of the bytes. */
  uint64_t (*read)(const void *memory, size_t bytes);
  /* Where they are faster than rows are, or NULL. */
  vidx_code_blocks _Nullable int8_blocks, int4_blocks, bits_blocks;
} vidx_codes;

/* The kernels that go with the active table of CVidxKernels.h. */
const vidx_codes *vidx_codes_active(void);

/* Those that go with an instruction set's table, or those of this `isa`; NULL when it is unknown or this CPU lacks it.
 * A CPU with AVX-512 but without its byte, VNNI and VL parts has the AVX2 ones under "avx512"; `isa` tells. */
const vidx_codes *_Nullable vidx_codes_named(const char *isa);

/* Does `count` additions (rounded up to 16), each of which waits for the one before: a cycle each. */
void vidx_add_in_sequence(uint64_t count);

/* A plane of `bits` bits (1, 2, 4 or 8) of each code, from bit `shift` on, in `count` bytes (enough for all, at most
 * one plane of padding). One bit: dimension i is bit i % 8 of byte i / 8. Otherwise dimension i is in byte i % count,
 * from bit bits * (i / count) on. */
void vidx_code_pack(const uint8_t *codes, size_t dimensions, int bits, int shift, uint8_t *bytes, size_t count);

/* Puts a plane back: ors it into codes. */
void vidx_code_unpack(const uint8_t *bytes, size_t count, size_t dimensions, int bits, int shift, uint8_t *codes);

/* Transposes the 32-bit words of each sixteen of `count` rows, `stride` bytes (a multiple of 16) each: word w of row r
 * of a block becomes its word 16 w + r. Copies of the last row fill the last block: `blocks` has room for `count`
 * rounded up to VIDX_BLOCK_ROWS. */
void vidx_code_transpose(const void *rows, size_t stride, size_t count, void *blocks);

#pragma clang assume_nonnull end
#endif
