// Spikes of a window as a list instead of a raster.
#ifndef NEURORL_SPIKES_H
#define NEURORL_SPIKES_H
#include <stdint.h>
#include <string.h>
#include "buffers.h"
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace neurorl {

struct Spikes {
    Integers step, neuron;  // of each spike, in order of steps, then neurons
    std::vector<int64_t> until;         // number of spikes up to each step, included
    int64_t count = 0;

    void clear(int64_t steps, int64_t n)
    {
        count = 0;
        until.assign(steps, 0);
        if ((int64_t)step.size() < steps * n) {
            step.resize(steps * n);
            neuron.resize(steps * n + 16);  // vectors of 16 are written
        }
    }

    // Add the spikes of a step; steps come in order, and those left out are silent.
    void add(int64_t t, const uint8_t *spikes, int64_t n)
    {
        int32_t *steps = step.data();
        const int64_t before = count;
        count += list(spikes, n, neuron.data() + before);
        for (int64_t s = before; s < count; s++) steps[s] = t;
    }

    void end_step(int64_t t) { until[t] = count; }

    // List spikes neuron by neuron in *order*, and where each neuron's begin.
    void by_neuron(int64_t n, std::vector<int64_t> &begin, Integers &order) const
    {
        begin.assign(n + 2, 0);
        order.resize(count);
        for (int64_t s = 0; s < count; s++) begin[neuron[s] + 2]++;
        for (int64_t i = 0; i < n; i++) begin[i + 2] += begin[i + 1];
        for (int64_t s = 0; s < count; s++) order[begin[neuron[s] + 1]++] = s;
    }

private:
    // Write the places of the ones among n bytes of 0 or 1, and up to 16 numbers beyond; return how
    // many there are. No branch is taken on each.
    static int64_t list(const uint8_t *bytes, int64_t n, int32_t *places)
    {
        int64_t found = 0;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
        __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (int64_t j = 0; j < n; j += 16) {
            const __mmask16 within = n - j < 16 ? (1u << (n - j)) - 1 : 0xffff;
            const __m128i some = _mm_maskz_loadu_epi8(within, bytes + j);
            const __mmask16 ones = _mm_test_epi8_mask(some, some);
            _mm512_storeu_si512(places + found, _mm512_maskz_compress_epi32(ones, index));
            found += __builtin_popcount(ones);
            index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
        }
#else
        for (int64_t j = 0; j < n; j += 64)
            for (uint64_t left = bits(bytes + j, n - j); left; left &= left - 1)
                places[found++] = j + __builtin_ctzll(left);
#endif
        return found;
    }

    // Return the first 64 of n bytes of 0 or 1 as bits.
    static uint64_t bits(const uint8_t *bytes, int64_t n)
    {
        uint64_t all = 0;
#ifdef __SSE2__
        if (n >= 64) {
            for (int64_t j = 0; j < 64; j += 16) {
                const __m128i some = _mm_loadu_si128((const __m128i *)(bytes + j));
                all |= (uint64_t)_mm_movemask_epi8(_mm_slli_epi16(some, 7)) << j;
            }
            return all;
        }
#endif
        for (int64_t j = 0; j < 64 && j < n; j += 8) {
            uint64_t eight = 0;
            memcpy(&eight, bytes + j, n - j < 8 ? n - j : 8);
            all |= eight * 0x0102040810204080 >> 56 << j;  // byte i of 0 or 1 becomes bit i
        }
        return all;
    }
};

}  // namespace neurorl

#endif
