/* Included once by code_avx2.c and code_avx512.c inside their target attributes: one-bit codes against the planes of a
 * query, where bits have to be counted by looking up halves of bytes. */

/* Sixteen bytes of two rows. */
VIDX_INLINE __m256i vidx_two_rows(const uint8_t *low, const uint8_t *high) {
  __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low));
  return _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)high), 1);
}

/* Adds to each byte what the planes make of its bits, -64...56. */
VIDX_INLINE __m256i vidx_plane_bytes(__m256i code, const uint8_t *planes) {
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2,
                                        3, 2, 3, 3, 4);
  const __m256i halves[2] = {_mm256_and_si256(code, low), _mm256_and_si256(_mm256_srli_epi16(code, 4), low)};
  __m256i sum = _mm256_setzero_si256();
  /* From the highest plane down: twice the sum, and the next. */
#pragma clang loop unroll(full)
  for (int j = 3; j >= 0; j--) {
    __m256i plane = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(planes + 16 * j)));
    __m256i count = _mm256_add_epi8(
        _mm256_shuffle_epi8(bits, _mm256_and_si256(halves[0], plane)),
        _mm256_shuffle_epi8(bits, _mm256_and_si256(halves[1], _mm256_srli_epi16(plane, 4))));
    sum = _mm256_add_epi8(sum, sum);
    sum = j == 3 ? _mm256_sub_epi8(sum, count) : _mm256_add_epi8(sum, count);
  }
  return sum;
}

/* The dot products of four rows of n bytes. */
VIDX_INLINE void vidx_plane_dots(const uint8_t *planes, const uint8_t *const *rows, const uint8_t *const *ahead,
                                 size_t n, int32_t *dots) {
  const __m256i byte_ones = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
  __m256i a[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (size_t i = 0; i < n; i += 16) {
    if (i % 64 == 0) vidx_prefetch_rows(ahead, 4, i);
#pragma clang loop unroll(full)
    for (int pair = 0; pair < 2; pair++) {
      __m256i bytes = vidx_plane_bytes(vidx_two_rows(rows[2 * pair] + i, rows[2 * pair + 1] + i), planes + 4 * i);
      a[pair] = _mm256_add_epi32(a[pair], _mm256_madd_epi16(_mm256_maddubs_epi16(byte_ones, bytes), ones));
    }
  }
  __m256i b = _mm256_hadd_epi32(a[0], a[1]); /* rows 0, 2 | 1, 3, two lanes each */
  b = _mm256_hadd_epi32(b, b);
  _mm_storeu_si128((__m128i *)dots, _mm_unpacklo_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1)));
}
