// What all printed networks share, compiled once for a machine; see engine.h.
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif
#include "parallel.h"
#include "philox.h"

// Calls body(with, first, last) for ranges of so many replicas, each in a thread of its own.
extern "C" void neurorl_share(
    int64_t threads, int64_t n_replicas, void (*body)(const void *, int64_t, int64_t),
    const void *with)
{
    neurorl::in_ranges(threads, n_replicas, [&](int64_t first, int64_t last, int64_t) {
        body(with, first, last);
    });
}

// Writes the row of spikes of the neurons k to n less 1, given a byte of 0 or 1 for each of all.
extern "C" void neurorl_list_spikes(const uint8_t *over, int32_t *row, int64_t begin, int64_t n)
{
    int32_t count = 0;
    int32_t k = (int32_t)begin;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
    __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    index = _mm512_add_epi32(index, _mm512_set1_epi32(k));
    for (; k + 16 <= n; k += 16) {  // writes 16 places from count <= k - begin on, so none beyond
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(over + k));
        const __mmask16 mask = _mm_test_epi8_mask(bytes, bytes);
        _mm512_storeu_si512(row + count, _mm512_maskz_compress_epi32(mask, index));
        count += __builtin_popcount(mask);
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
#elif defined(__SSE2__)
    // Of 64 neurons mostly four spike at most: no branch for each of these.
    for (; k + 64 <= n; k += 64) {
        uint64_t left = 0;
        for (int j = 0; j < 64; j += 16) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(over + k + j));
            const int mask = _mm_movemask_epi8(_mm_slli_epi16(bytes, 7));
            left |= (uint64_t)(uint32_t)mask << j;
        }
        const int ones = __builtin_popcountll(left);
        int32_t *to = row + count;
        count += ones;
        if (ones <= 4)
            for (int j = 0; j < 4; j++, left &= left - 1)
                to[j] = k + __builtin_ctzll(left | 1ull << 63);
        else if (ones <= 12)
            for (; left; left &= left - 1) *to++ = k + __builtin_ctzll(left);
        else
            for (int j = 0, m = 0; j < 64; j++) {
                to[m] = k + j;
                m += over[k + j];
            }
    }
#endif
    for (; k < n; k++) {
        row[count] = k;
        count += over[k];
    }
    row[n - begin] = count;
}

// Writes the words of the four steps of a block, rows of shape (4, n).
extern "C" void neurorl_draw_rows(
    int64_t n, int64_t block, int64_t stream, int64_t seed, uint32_t *rows)
{
    neurorl_rows(0, n, block, stream, seed, rows);
}
