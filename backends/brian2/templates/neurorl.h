// What the generated code of a network calls: noise, and the sums of arriving weights.
#ifndef NEURORL_H
#define NEURORL_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "philox.h"

namespace neurorl {

// A row of spikes: indices in ascending order in the first N places, their number in the last.

const double *logistic_table = NULL;  // set once after loading

inline double logistic(int64_t i, int64_t step, int64_t stream, int64_t seed)
{
    return logistic_table[neurorl_word(i, step, stream, seed) >> (32 - NEURORL_LOGISTIC_BITS)];
}

// A ring of the rows of DEPTH steps, so that step t is in row t % DEPTH.
inline int64_t ring_row(int64_t step, int64_t depth) { return (step % depth + depth) % depth; }

template <int N>
inline void remember(const int32_t *row, int32_t *ring, int64_t step, int64_t depth)
{
    int32_t *to = ring + ring_row(step, depth) * (N + 1);
    memcpy(to, row, row[N] * sizeof(int32_t));
    to[N] = row[N];
}

// q[k] += w[s, k] over the spikes s, for N columns that stay in registers meanwhile.
template <int N>
inline void add_columns(
    const int32_t *spike, const int32_t *end, const double *w, size_t columns, double *q)
{
    double sum[N];
    for (int k = 0; k < N; k++) sum[k] = q[k];
    for (; spike < end; spike++) {
        const double *row = w + *spike * columns;
        for (int k = 0; k < N; k++) sum[k] += row[k];
    }
    for (int k = 0; k < N; k++) q[k] = sum[k];
}

// All-to-all weights w[PRE * blocks, POST]: each block of PRE neurons to its own block of POST.
template <int PRE, int POST>
inline void add_dense(const int32_t *spikes, int count, const double *w, double *q)
{
    const int32_t *first = spikes, *const end = spikes + count;
    while (first < end) {
        const int block = *first / PRE;
        const int32_t *last = first + 1;
        while (last < end && *last < (block + 1) * PRE) last++;
        double *to = q + (size_t)block * POST;
        int k = 0;
        for (; k + 32 <= POST; k += 32) add_columns<32>(first, last, w + k, POST, to + k);
        if constexpr (POST % 32 != 0) add_columns<POST % 32>(first, last, w + k, POST, to + k);
        first = last;
    }
}

// Synapses of neuron s are numbers start[s] to start[s + 1], each with its target.
inline void add_sparse(
    const int32_t *spikes, int count, const double *w, const int64_t *start,
    const int32_t *target, double *q)
{
    for (int k = 0; k < count; k++)
        for (int64_t s = start[spikes[k]]; s < start[spikes[k] + 1]; s++) q[target[s]] += w[s];
}

// One step's row as a row of a raster.
template <int N>
inline void scatter(const int32_t *row, uint8_t *raster)
{
    memset(raster, 0, N);
    for (int k = 0; k < row[N]; k++) raster[row[k]] = 1;
}

}  // namespace neurorl

#endif
