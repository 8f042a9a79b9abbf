// What the generated code of a network calls: draws for noise, and the sums of arriving weights.
#ifndef NEURORL_H
#define NEURORL_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif
#include "expressions.h"
#include "philox.h"

namespace neurorl {

// "A row of spikes" of N neurons below: indices in ascending order in the first N places, and their
// number in the last.

const double *logistic_table = NULL;  // set once after loading

// Returns the standard logistic draw that a word stands for.
inline double logistic(uint32_t word)
{
    return logistic_table[word >> (32 - NEURORL_LOGISTIC_BITS)];
}

// Returns the 32 bits of a draw as a number.
inline double draw(uint32_t word) { return word; }

// Makes the draws of one stream for replicas of N neurons, each replica at a step of its own. The
// words of four steps come together, so they are kept. All 0 at first.
template <int REPLICAS, int N>
struct Draws {
    int64_t next_block[REPLICAS];  // one more than that of the words: 0 is none
    uint32_t words[REPLICAS][4][N];

    // ahead: steps of a replica less t, or NULL. It and seed have a value for each neuron.
    template <double (*CONVERT)(uint32_t)>
    void write(
        int64_t t, const int64_t *ahead, int64_t stream, const int64_t *seed, double *to)
    {
        for (int k = 0; k < REPLICAS; k++, to += N) {
            const int64_t step = t + (ahead ? ahead[k * N] : 0);
            keep(k, step >> 2, stream, seed[k * N]);
            const uint32_t *row = words[k][step & 3];
            #pragma GCC ivdep
            for (int i = 0; i < N; i++) to[i] = CONVERT(row[i]);
        }
    }

    // Keeps the words of a block of a replica.
    void keep(int k, int64_t block, int64_t stream, int64_t seed)
    {
        if (next_block[k] == block + 1) return;
        neurorl_rows(0, N, block, stream, seed, words[k][0]);
        next_block[k] = block + 1;
    }
};

// Returns the row of a ring that holds the spikes of a step; the ring has the last *depth* steps.
inline int64_t ring_row(int64_t step, int64_t depth) { return (step % depth + depth) % depth; }

// Copies a row of spikes into the ring.
template <int N>
inline void remember(const int32_t *row, int32_t *ring, int64_t step, int64_t depth)
{
    int32_t *to = ring + ring_row(step, depth) * (N + 1);
    memcpy(to, row, row[N] * sizeof(int32_t));
    to[N] = row[N];
}

// Weights as numbers, and what sums of some of them are.
struct Weights {
    const double *w;
    typedef double Sum;
    double value(double sum) const { return sum; }
};

// Weights as whole levels, of at most 2**28: four have a sum of 32 bits.
struct Levels {
    const int32_t *w;
    double unit;
    typedef int32_t Sum;
    double value(int32_t sum) const { return (double)sum * unit; }
};

// Adds w[s, k] to q[k] for ROWS spikes s and many columns, which it reads as streams, so that the
// processor reads ahead. Sums of weights are exact, so their order is free.
template <int ROWS, int POST, class W>
inline void add_rows(const int32_t *spike, const W &weights, double *q)
{
    typedef typename W::Sum Sum;
    const Sum *row[ROWS];
    for (int s = 0; s < ROWS; s++) row[s] = weights.w + (size_t)spike[s] * POST;
    #pragma GCC ivdep
    for (int k = 0; k < POST; k++) {
        Sum sum = row[0][k];
        for (int s = 1; s < ROWS; s++) sum += row[s][k];
        q[k] += weights.value(sum);
    }
}

// Adds the rows of a block's spikes to its POST sums. Few of these stay in registers meanwhile.
template <int POST, class W>
inline void add_block(const int32_t *spike, const int32_t *end, const W &weights, double *q)
{
    double few[POST <= 32 ? POST : 1];
    double *sums = POST <= 32 ? few : q;
    if (POST <= 32)
        for (int k = 0; k < POST; k++) few[k] = q[k];
    for (; spike + 4 <= end; spike += 4) add_rows<4, POST>(spike, weights, sums);
    switch (end - spike) {
    case 3: add_rows<3, POST>(spike, weights, sums); break;
    case 2: add_rows<2, POST>(spike, weights, sums); break;
    case 1: add_rows<1, POST>(spike, weights, sums); break;
    }
    if (POST <= 32)
        for (int k = 0; k < POST; k++) q[k] = few[k];
}

// Adds all-to-all weights w[PRE * blocks, POST]: each block of PRE neurons projects to its own
// block of POST neurons.
template <int PRE, int POST, class W>
inline void add_dense(const int32_t *spikes, int count, const W &weights, double *q)
{
    const int32_t *first = spikes, *const end = spikes + count;
    while (first < end) {
        const int block = *first / PRE;
        const int32_t *last = first + 1;
        while (last < end && *last < (block + 1) * PRE) last++;
        add_block<POST>(first, last, weights, q + (size_t)block * POST);
        first = last;
    }
}

// Asks for the memory of the synapses *first* to *last* less 1, before it is needed: rows of random
// neurons are too short for a processor to read ahead.
inline void fetch_row(const double *w, const int32_t *target, int64_t first, int64_t last)
{
    for (int64_t s = first; s < last; s += 8) __builtin_prefetch(w + s);
    for (int64_t s = first; s < last; s += 16) __builtin_prefetch(target + s);
}

// Adds the weights of listed synapses: those of neuron s have the numbers start[s] to start[s + 1]
// less 1, each with its target.
inline void add_sparse(
    const int32_t *spikes, int count, const double *w, const int64_t *start,
    const int32_t *target, double *q)
{
    const int near = 2, far = 8;  // spikes ahead
    for (int k = 0; k < count; k++) {
        if (k + far < count) __builtin_prefetch(start + spikes[k + far]);
        if (k + near < count) {
            const int64_t *next = start + spikes[k + near];
            if (next[1] - next[0] <= 256) fetch_row(w, target, next[0], next[1]);
        }
        const int64_t last = start[spikes[k] + 1];
        for (int64_t s = start[spikes[k]]; s < last; s++) q[target[s]] += w[s];
    }
}

// Do as add_dense and add_sparse, with weights times what each spike released.
template <int PRE, int POST>
inline void add_dense_released(
    const int32_t *spikes, int count, const double *release, const double *w, double *q)
{
    for (int k = 0; k < count; k++) {
        const int32_t pre = spikes[k];
        const double *row = w + (size_t)pre * POST;
        double *to = q + (size_t)(pre / PRE) * POST;
        for (int j = 0; j < POST; j++) to[j] += row[j] * release[pre];
    }
}

inline void add_sparse_released(
    const int32_t *spikes, int count, const double *release, const double *w, const int64_t *start,
    const int32_t *target, double *q)
{
    for (int k = 0; k < count; k++) {
        const int32_t pre = spikes[k];
        for (int64_t s = start[pre]; s < start[pre + 1]; s++) q[target[s]] += w[s] * release[pre];
    }
}

// Writes the row of spikes of N neurons, given a byte of 0 or 1 for each.
template <int N>
inline void list_spikes(const uint8_t *over, int32_t *row)
{
    int32_t count = 0;
    int k = 0;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
    __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; k + 16 <= N; k += 16) {  // writes 16 places from count <= k on, so none beyond N
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(over + k));
        const __mmask16 mask = _mm_test_epi8_mask(bytes, bytes);
        _mm512_storeu_si512(row + count, _mm512_maskz_compress_epi32(mask, index));
        count += __builtin_popcount(mask);
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
#endif
    for (; k < N; k++) {
        row[count] = k;
        count += over[k];
    }
    row[N] = count;
}

// Removes the spikes of some neurons from a row.
template <int N>
inline void remove_spikes(int32_t *row, int64_t first, int64_t end)
{
    int kept = 0;
    for (int k = 0; k < row[N]; k++)
        if (row[k] < first || row[k] >= end) row[kept++] = row[k];
    row[N] = kept;
}

// Writes a row of spikes as a row of a raster, a byte of 0 or 1 for each neuron.
template <int N>
inline void scatter(const int32_t *row, uint8_t *raster)
{
    memset(raster, 0, N);
    for (int k = 0; k < row[N]; k++) raster[row[k]] = 1;
}

}  // namespace neurorl

#endif
