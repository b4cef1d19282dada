/* Included once by each file code_<isa>.c inside its target attribute: the random rotation of codes.
 *
 * "Kac's walk" over fast Hadamard transforms, as in the RaBitQ library (arXiv 2409.09913): four rounds, each of random
 * sign flips, a Hadamard transform over the largest power of two that fits (the first so many floats in even rounds,
 * the last in odd ones), and, where that leaves some out, a rotation by 45 degrees of each pair (i, i + ceil(n / 2)).
 * Every step is orthogonal, for any n. All operations are elementwise sums, differences and products, so the result
 * has the same bits whatever the width of the vectors. */

typedef float vidx_f32x16 __attribute__((vector_size(64), aligned(4)));
typedef float vidx_lanes16 __attribute__((vector_size(64)));

enum { VIDX_ROUNDS = 4 };

/* The butterflies at distances 1, 2, 4 and 8 within sixteen floats. */
VIDX_INLINE vidx_lanes16 vidx_butterflies16(vidx_lanes16 v) {
  vidx_lanes16 a, b;
  const vidx_lanes16 s1 = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
  const vidx_lanes16 s2 = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
  const vidx_lanes16 s4 = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1};
  const vidx_lanes16 s8 = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
  a = __builtin_shufflevector(v, v, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14);
  b = __builtin_shufflevector(v, v, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
  v = a + b * s1;
  a = __builtin_shufflevector(v, v, 0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
  b = __builtin_shufflevector(v, v, 2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15);
  v = a + b * s2;
  a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11);
  b = __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15);
  v = a + b * s4;
  a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
  b = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  return a + b * s8;
}

/* Two levels at once, distances h and 2 h: half the passes over memory. */
VIDX_INLINE void vidx_butterflies_pair(float *x, size_t size, size_t h) {
  for (size_t block = 0; block < size; block += 4 * h) {
    for (size_t j = block; j < block + h; j += 16) {
      vidx_f32x16 *p0 = (vidx_f32x16 *)(x + j), *p1 = (vidx_f32x16 *)(x + j + h);
      vidx_f32x16 *p2 = (vidx_f32x16 *)(x + j + 2 * h), *p3 = (vidx_f32x16 *)(x + j + 3 * h);
      vidx_lanes16 a = *p0, b = *p1, c = *p2, d = *p3;
      vidx_lanes16 ab = a + b, a_b = a - b, cd = c + d, c_d = c - d;
      *p0 = ab + cd, *p1 = a_b + c_d, *p2 = ab - cd, *p3 = a_b - c_d;
    }
  }
}

/* The Hadamard transform of `size` floats, a power of two, unscaled. */
VIDX_INLINE void vidx_hadamard(float *x, size_t size) {
  size_t h = 1;
  if (size >= 16) {
    for (size_t i = 0; i < size; i += 16) *(vidx_f32x16 *)(x + i) = vidx_butterflies16(*(vidx_f32x16 *)(x + i));
    for (h = 16; 2 * h < size; h *= 4) vidx_butterflies_pair(x, size, h);
  }
  for (; h < size; h *= 2) {
    for (size_t block = 0; block < size; block += 2 * h) {
      for (size_t j = block; j < block + h; j++) {
        float a = x[j], b = x[j + h];
        x[j] = a + b;
        x[j + h] = a - b;
      }
    }
  }
}

VIDX_INLINE void vidx_flip_signs(float *x, size_t n, const uint32_t *signs) {
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    bits ^= signs[i];
    memcpy(x + i, &bits, sizeof bits);
  }
}

VIDX_INLINE void vidx_scale(float *x, size_t n, float factor) {
  for (size_t i = 0; i < n; i++) x[i] *= factor;
}

VIDX_INLINE void vidx_rotate_pairs(float *x, size_t n) {
  if ((n & (n - 1)) == 0) return; /* the window was all, and these pairs would undo its last level */
  const size_t pairs = n / 2, distance = n - pairs;
  const float half = 0.70710678118654752440f;
  for (size_t i = 0; i < pairs; i++) {
    float a = x[i], b = x[i + distance];
    x[i] = (a + b) * half;
    x[i + distance] = (a - b) * half;
  }
}

/* One round's window: where it begins, how long it is, and the scale that makes its transform orthonormal. */
VIDX_INLINE void vidx_transform_window(float *x, size_t n, int round) {
  size_t size = 1;
  double norm = 1;
  while (2 * size <= n) size *= 2, norm *= 2;
  float *window = round % 2 ? x + (n - size) : x;
  vidx_scale(window, size, (float)(1 / __builtin_elementwise_sqrt(norm)));
  vidx_hadamard(window, size);
}

VIDX_INLINE void vidx_rotate(float *x, size_t n, const uint32_t *signs) {
  for (int round = 0; round < VIDX_ROUNDS; round++) {
    vidx_flip_signs(x, n, signs + (size_t)round * n);
    vidx_transform_window(x, n, round);
    vidx_rotate_pairs(x, n);
  }
}

/* Each step is its own inverse. */
VIDX_INLINE void vidx_rotate_back(float *x, size_t n, const uint32_t *signs) {
  for (int round = VIDX_ROUNDS - 1; round >= 0; round--) {
    vidx_rotate_pairs(x, n);
    vidx_transform_window(x, n, round);
    vidx_flip_signs(x, n, signs + (size_t)round * n);
  }
}

#define VIDX_ROTATE_ENTRY_POINTS(isa)                                                                                  \
  static void rotate_##isa(float *x, size_t n, const uint32_t *signs) { vidx_rotate(x, n, signs); }                    \
  static void rotate_back_##isa(float *x, size_t n, const uint32_t *signs) { vidx_rotate_back(x, n, signs); }
