// Spikes of a window as a list instead of a raster.
#pragma once

#include <stdint.h>
#include <string.h>
#include "buffers.h"
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace neurorl {

// The spikes that count in a window, in order of steps, then neurons. Loops over all of them are
// quicker than loops over each step's few, whose ends no processor foresees.
struct Spikes {
    const int32_t *neuron = nullptr, *from = nullptr;  // of each spike, and the step it is from
    int64_t count = 0, delay = 0;                      // it counts *delay* steps later

    int64_t step(int64_t s) const { return from[s] + delay; }

    // List spikes neuron by neuron: the steps of those of neuron i are steps[begin[i]] to
    // steps[begin[i + 1] - 1].
    void by_neuron(int64_t n, std::vector<int64_t> &begin, Integers &steps) const
    {
        begin.assign(n + 2, 0);
        steps.resize(count);
        int64_t *place = begin.data();
        for (int64_t s = 0; s < count; s++) place[neuron[s] + 2]++;
        for (int64_t i = 0; i < n; i++) place[i + 2] += place[i + 1];
        int32_t *to = steps.data();
        for (int64_t s = 0; s < count; s++) to[place[neuron[s] + 1]++] = step(s);
    }
};

// Return the first 64 of n bytes of 0 or 1 as bits.
inline uint64_t bits_of(const uint8_t *bytes, int64_t n)
{
    uint64_t all = 0;
#if defined(__AVX512F__) && defined(__AVX512BW__)
    const __m512i some = _mm512_maskz_loadu_epi8(n < 64 ? (1ull << n) - 1 : ~0ull, bytes);
    all = _mm512_test_epi8_mask(some, some);
    return all;
#elif defined(__SSE2__)
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

// Write the places of the ones among 64 bits, of which the first has the number *from*. has_room: for 16
// places from every one on.
inline void list_many(uint64_t bits, int64_t from, int32_t *to, bool has_room)
{
#ifdef __AVX512F__
    __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    index = _mm512_add_epi32(index, _mm512_set1_epi32(from));
    for (; bits; bits >>= 16) {
        const __mmask16 ones = bits;
        const __m512i found = _mm512_maskz_compress_epi32(ones, index);
        const int count = __builtin_popcount(ones);
        if (has_room) _mm512_storeu_si512(to, found);
        else _mm512_mask_storeu_epi32(to, (1u << count) - 1, found);
        to += count;
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
#else
    for (; bits; bits &= bits - 1) *to++ = from + __builtin_ctzll(bits);
#endif
}

// Write the places of the ones among n bytes of 0 or 1, of which the first has the number *from*, to n
// places at most; return how many there are. Of 64 neurons mostly FEW spike at most, and no branch is
// taken on each of these.
inline int64_t list_ones(const uint8_t *bytes, int64_t n, int64_t from, int32_t *places)
{
    const int64_t FEW = 4;
    int64_t found = 0;
    for (int64_t j = 0; j < n; j += 64) {
        uint64_t left = bits_of(bytes + j, n - j);
        const int64_t ones = __builtin_popcountll(left);
        int32_t *to = places + found;
        found += ones;
        if (ones > FEW || n - j < FEW) {
            list_many(left, from + j, to, n - j >= 64);
            continue;
        }
        for (int64_t i = 0; i < FEW; i++, left &= left - 1)
            to[i] = from + j + __builtin_ctzll(left | 1ull << 63);
    }
    return found;
}

// All spikes of a node in a window and in the steps before it that are remembered. Several layers and
// projections need them, so they are listed once.
class NodeSpikes {
public:
    bool is_made = false;

    // before: remembered steps. row: returns the n bytes of a step, from -before on.
    template <class Row> void make(int64_t before, int64_t steps, int64_t n, Row row)
    {
        before_ = before;
        until_.resize(1 + before + steps);
        const size_t room = (before + steps) * n + 8;  // the last steps are written by eight
        if (neuron_.size() < room) {
            neuron_.resize(room);
            step_.resize(room);
        }
        int64_t count = until_[0] = 0;
        for (int64_t t = -before; t < steps; t++) {
            const int64_t found = list_ones(row(t), n, 0, neuron_.data() + count);
            int32_t *to = step_.data() + count;
            for (int64_t s = 0; s < found; s += 8)
                for (int64_t i = 0; i < 8; i++) to[s + i] = t;
            until_[1 + before + t] = count += found;
        }
        is_made = true;
    }

    // Return those that come *delay* steps later, in steps from *begin* until *end*.
    Spikes delayed(int64_t delay, int64_t begin, int64_t end) const
    {
        if (end <= begin) return {};
        const int64_t first = until_[before_ + begin - delay];
        const int64_t count = until_[before_ + end - delay] - first;
        return {neuron_.data() + first, step_.data() + first, count, delay};
    }

private:
    int64_t before_ = 0;
    std::vector<int64_t> until_;  // number of spikes before each step, and of all
    Integers neuron_, step_;
};

}  // namespace neurorl
