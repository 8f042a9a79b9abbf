/* The draws of neurorl.numerics.random: Philox4x32-10, of which step % 4 picks one of four words. */
#ifndef NEURORL_PHILOX_H
#define NEURORL_PHILOX_H
#include <stdint.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

/* Written out, as compilers vectorise no loop around a loop of rounds. */
#define NEURORL_ROUND                                                      \
    p0 = (uint64_t)c0 * 0xD2511F53U, p1 = (uint64_t)c2 * 0xCD9E8D57U;      \
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, c1 = (uint32_t)p1;                \
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1, c3 = (uint32_t)p0;                \
    k0 += 0x9E3779B9U, k1 += 0xBB67AE85U;

/* The draws of the steps 4 block to 4 block + 3. */
static inline void neurorl_words(
    const int64_t i, const int64_t block, const int64_t stream, const int64_t seed, uint32_t *words)
{
    uint32_t c0 = (uint32_t)i, c1 = (uint32_t)block;
    uint32_t c2 = (uint32_t)((uint64_t)block >> 32), c3 = (uint32_t)stream;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)((uint64_t)seed >> 32);
    uint64_t p0, p1;
    NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND
    NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

/* That of a step among the words of its block; without branches, so that loops vectorise. */
static inline uint32_t neurorl_pick(
    const uint32_t a, const uint32_t b, const uint32_t c, const uint32_t d, const int64_t step)
{
    const uint32_t odd = -(uint32_t)(step & 1), high = -(uint32_t)(step >> 1 & 1);
    const uint32_t low_word = a ^ ((a ^ b) & odd), high_word = c ^ ((c ^ d) & odd);
    return low_word ^ ((low_word ^ high_word) & high);
}

static inline uint32_t neurorl_word(
    const int64_t i, const int64_t step, const int64_t stream, const int64_t seed)
{
    uint32_t w[4];
    neurorl_words(i, (int64_t)((uint64_t)step >> 2), stream, seed, w);
    return neurorl_pick(w[0], w[1], w[2], w[3], step);
}

#ifdef __AVX512F__
/* Do as neurorl_words for i to i + 7, and write a row of each word. Compilers multiply 64 bits by 64
 * here, which takes three times as long. Of numbers in lanes of 64 bits, the lower halves count. */
static inline void neurorl_eight(
    const int64_t i, const int64_t block, const int64_t stream, const int64_t seed, uint32_t *r0,
    uint32_t *r1, uint32_t *r2, uint32_t *r3)
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53U), m1 = _mm512_set1_epi64(0xCD9E8D57U);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)((uint64_t)seed >> 32);
    __m512i c0 = _mm512_add_epi64(_mm512_set1_epi64(i), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    __m512i c1 = _mm512_set1_epi64(block), c2 = _mm512_set1_epi64((int64_t)((uint64_t)block >> 32));
    __m512i c3 = _mm512_set1_epi64(stream);
    for (int round = 0; round < 10; round++) {
        const __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);
        const __m512i h0 = _mm512_srli_epi64(p0, 32), h1 = _mm512_srli_epi64(p1, 32);
        c0 = _mm512_xor_si512(_mm512_xor_si512(h1, c1), _mm512_set1_epi64(k0));
        c2 = _mm512_xor_si512(_mm512_xor_si512(h0, c3), _mm512_set1_epi64(k1));
        c1 = p1, c3 = p0;
        k0 += 0x9E3779B9U, k1 += 0xBB67AE85U;
    }
    _mm256_storeu_si256((__m256i *)r0, _mm512_cvtepi64_epi32(c0));
    _mm256_storeu_si256((__m256i *)r1, _mm512_cvtepi64_epi32(c1));
    _mm256_storeu_si256((__m256i *)r2, _mm512_cvtepi64_epi32(c2));
    _mm256_storeu_si256((__m256i *)r3, _mm512_cvtepi64_epi32(c3));
}
#endif

/* The draws of neurons first to first + n - 1 in the four steps of a block: rows of shape (4, n). */
static inline void neurorl_rows(
    const int64_t first, const int64_t n, const int64_t block, const int64_t stream,
    const int64_t seed, uint32_t *rows)
{
    uint32_t *r1 = rows + n, *r2 = r1 + n, *r3 = r2 + n;
    int64_t begin = 0;
#ifdef __AVX512F__
    for (; begin + 8 <= n; begin += 8)
        neurorl_eight(
            first + begin, block, stream, seed, rows + begin, r1 + begin, r2 + begin, r3 + begin);
#endif
#pragma GCC ivdep
    for (int64_t i = begin; i < n; i++) {
        uint32_t w[4];
        neurorl_words(first + i, block, stream, seed, w);
        rows[i] = w[0], r1[i] = w[1], r2[i] = w[2], r3[i] = w[3];
    }
}

#undef NEURORL_ROUND
#endif
