// What the printed code of a network calls: sums of arriving weights, and draws.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "expressions.h"
#include "saturated.h"

// Set once after loading, to functions of engine.cpp, which needn't be compiled with each network.
extern "C" {
void (*neurorl_list_spikes)(const uint8_t *over, int32_t *row, int64_t begin, int64_t n);
void (*neurorl_share)(
    int64_t threads, int64_t n_replicas, void (*body)(const void *, int64_t, int64_t),
    const void *with);
void (*neurorl_draw_rows)(int64_t n, int64_t block, int64_t stream, int64_t seed, uint32_t *rows);
}

namespace neurorl {

// "A row of spikes" of N neurons below: indices in ascending order in the first N places, and their
// number in the last. Where threads share replicas, each has a row of its own.

// Returns the row of a ring that holds the spikes of a step; the ring has the last *depth* steps.
inline int64_t ring_row(int64_t step, int64_t depth) { return (step % depth + depth) % depth; }

// Returns the words of a step for one replica of N neurons. Those of four steps come together, so
// they are kept: *next* is one more than their block.
inline const uint32_t *draws(
    int64_t *next, uint32_t *words, int64_t step, int64_t stream, int64_t seed, int N)
{
    if (*next != (step >> 2) + 1) {
        neurorl_draw_rows(N, step >> 2, stream, seed, words);
        *next = (step >> 2) + 1;
    }
    return words + (step & 3) * N;
}

// Weights as numbers, and what sums of some of them are.
struct Weights {
    const double *w;
    typedef double Sum, Total;
    double value(double sum) const { return sum; }
};

// Weights as whole levels, of at most 2**28: four have a sum of 32 bits.
struct Levels {
    const int32_t *w;
    double unit;
    typedef int32_t Sum;
    typedef double Total;
    double value(int32_t sum) const { return (double)sum * unit; }
};

// Adds w[s, k] to q[k] for ROWS spikes s and many columns, which it reads as streams, so that the
// processor reads ahead. Sums of weights are exact, so their order is free.
template <int ROWS, class W>
ALWAYS_INLINE void add_rows(
    const int32_t *spike, const W &weights, typename W::Total *__restrict q, const int POST)
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

// Weights times what each spike released, or 1 without *release*, which are added one by one.
struct Released {
    const double *w, *release;
    typedef double Total;
    double plus(double sum, int64_t s, double times) const { return sum + w[s] * times; }
};

template <int ROWS>
ALWAYS_INLINE void add_rows(
    const int32_t *spike, const Released &weights, double *__restrict q, const int POST)
{
    const double *row[ROWS];
    double times[ROWS];
    for (int s = 0; s < ROWS; s++) {
        row[s] = weights.w + (size_t)spike[s] * POST;
        times[s] = weights.release ? weights.release[spike[s]] : 1;
    }
    #pragma GCC ivdep
    for (int k = 0; k < POST; k++) {
        double sum = q[k];
        for (int s = 0; s < ROWS; s++) sum += row[s][k] * times[s];
        q[k] = sum;
    }
}

template <class W, class Total>
ALWAYS_INLINE void add_all(
    const int32_t *spike, const int32_t *end, const W &weights, Total *sums, const int POST)
{
    for (; spike + 4 <= end; spike += 4) add_rows<4>(spike, weights, sums, POST);
    switch (end - spike) {
    case 3: add_rows<3>(spike, weights, sums, POST); break;
    case 2: add_rows<2>(spike, weights, sums, POST); break;
    case 1: add_rows<1>(spike, weights, sums, POST); break;
    }
}

// Adds the rows of a block's spikes to its POST sums. Few of these stay in registers meanwhile.
template <class W>
ALWAYS_INLINE void add_block(
    const int32_t *spike, const int32_t *end, const W &weights, typename W::Total *q, const int POST)
{
    typename W::Total few[32];
    if (POST > 32) return add_all(spike, end, weights, q, POST);
    for (int k = 0; k < POST; k++) few[k] = q[k];
    add_all(spike, end, weights, few, POST);
    for (int k = 0; k < POST; k++) q[k] = few[k];
}

// Holds the sums in 16 bits meanwhile: those of most blocks on the stack.
ALWAYS_INLINE void add_block(
    const int32_t *spike, const int32_t *end, const Saturated &weights, float *q, const int POST)
{
    int16_t few[4096], *const sums = POST <= 4096 ? few : new int16_t[POST];
    for (int k = 0; k < POST; k++) sums[k] = q[k];
    add_all(spike, end, weights, sums, POST);
    for (int k = 0; k < POST; k++) q[k] = sums[k];
    if (POST > 4096) delete[] sums;
}

// Adds all-to-all weights w[PRE * blocks, POST]: each block of PRE neurons projects to its own
// block of POST neurons.
template <class W>
ALWAYS_INLINE void add_dense(
    const int32_t *spikes, int count, const W &weights, typename W::Total *q, const int PRE,
    const int POST)
{
    const int32_t *first = spikes, *const end = spikes + count;
    while (first < end) {
        const int block = *first / PRE;
        const int32_t *last = first + 1;
        if (end[-1] < (block + 1) * PRE) last = end;
        while (last < end && *last < (block + 1) * PRE) last++;
        add_block(first, last, weights, q + (size_t)block * POST, POST);
        first = last;
    }
}

// Asks for the memory of the synapses *first* to *last* less 1, before it is needed: rows of random
// neurons are too short for a processor to read ahead.
template <class Number>
inline void fetch_row(const Number *w, const int32_t *target, int64_t first, int64_t last)
{
    for (int64_t s = first; s < last; s += 64 / sizeof *w) __builtin_prefetch(w + s);
    for (int64_t s = first; s < last; s += 16) __builtin_prefetch(target + s);
}

// Adds the weights of listed synapses: those of neuron s have the numbers start[s] to start[s + 1]
// less 1, each with its target.
template <class W>
ALWAYS_INLINE void add_listed(
    const int32_t *spikes, int count, const W &weights, const int64_t *start,
    const int32_t *target, typename W::Total *q)
{
    typedef typename W::Total Total;
    const int near = 2, far = 8;  // spikes ahead
    for (int k = 0; k < count; k++) {
        if (k + far < count) __builtin_prefetch(start + spikes[k + far]);
        if (k + near < count) {
            const int64_t *next = start + spikes[k + near];
            if (next[1] - next[0] <= 256) fetch_row(weights.w, target, next[0], next[1]);
        }
        const int64_t last = start[spikes[k] + 1];
        const Total times = weights.release ? weights.release[spikes[k]] : 1;
        for (int64_t s = start[spikes[k]]; s < last; s++)
            q[target[s]] = weights.plus(q[target[s]], s, times);
    }
}

// Some neurons of all.
struct Range {
    int begin, end;
};

// Writes the sums of w (v_i - v_j) of gap junctions, added up by i from the first on.
inline void couple(
    const double *w, const int64_t *start, const int32_t *target, double *__restrict sum,
    const double *pre, const double *post, Range of_pre, Range of_post)
{
    memset(sum + of_post.begin, 0, sizeof(double) * (of_post.end - of_post.begin));
    for (int i = of_pre.begin; i < of_pre.end; i++)
        for (int64_t s = start[i]; s < start[i + 1]; s++)
            sum[target[s]] += w[s] * (pre[i] - post[target[s]]);
}

}  // namespace neurorl
