// Traces of a window: neurorl/rules/three_factor.py in C.
#pragma once

#include "membranes.h"
#include "spikes.h"

namespace neurorl {

// Return x and a spike, if there is one; x isn't -0.
inline double with_spike(double x, uint8_t spike) { return spike ? x + 1.0 : x; }

// Compute *to* = grid(decay from) + *spikes* as 0 or 1; both may be the same. UNITS: also
// *units* = scale to, in units of the grid.
template <bool UNITS>
inline void decay_and_add(
    double decay, const double *from, const uint8_t *spikes, double *to, int64_t n,
    double scale = 0.0, int32_t *units = nullptr)
{
    int64_t i = 0;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
    // Compilers make vectors of 64 of the bytes, which are wider than many rows.
    const __m512d kept = _mm512_set1_pd(decay), magic = _mm512_set1_pd(ROUNDS_TO_GRID);
    const __m512d one = _mm512_set1_pd(1.0), scales = _mm512_set1_pd(scale);
    for (; i + 8 <= n; i += 8) {
        const __m128i eight = _mm_loadl_epi64((const __m128i *)(spikes + i));
        const __m512d sum = _mm512_add_pd(_mm512_mul_pd(kept, _mm512_loadu_pd(from + i)), magic);
        __m512d x = _mm512_sub_pd(sum, magic);
        x = _mm512_mask_add_pd(x, _mm_test_epi8_mask(eight, eight), x, one);
        _mm512_storeu_pd(to + i, x);
        if (!UNITS) continue;
        const __m512i bits = _mm512_castpd_si512(_mm512_add_pd(_mm512_mul_pd(scales, x), magic));
        _mm256_storeu_si256((__m256i *)(units + i), _mm512_cvtepi64_epi32(bits));
    }
#endif
#pragma GCC ivdep
    for (; i < n; i++) {
        to[i] = with_spike(on_grid_quick(decay * from[i]), spikes[i]);
        if (UNITS) units[i] = grid_units(scale * to[i]);
    }
}

// Compute y(t) = grid(decay y(t-1)) + s(t), and depressing (window, n): what it subtracts, at the
// window's end, for a spike that arrives at t; as numbers, as units of the grid, or both. gate: of
// each neuron, or null.
inline void post_trace(
    const Window &window, const Layer &layer, const double *gate, double *depressing, int32_t *units)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    const double decay = layer.post_decay;
    double *y = layer.post_trace + window.k * n;
    for (int64_t t = 0; t < agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        const double scale = layer.depression * layer.powers[t];
        int32_t *whole = units + t * n;
        double *row = depressing + t * n;
        if (units && !depressing) {
            decay_and_add<true>(decay, y, spikes, y, n, scale, whole);
            continue;
        }
        decay_and_add<false>(decay, y, spikes, y, n);
        if (!depressing) continue;
        for (int64_t j = 0; j < n; j++) row[j] = on_grid(scale * y[j]);
        if (gate)
            for (int64_t j = 0; j < n; j++) row[j] = on_grid(row[j] * gate[j]);
        if (units)
            for (int64_t j = 0; j < n; j++) whole[j] = grid_units(row[j]);
    }
}

// Return whether what arrives in step t is in a raster.
inline bool arrives(const Window &window, const Projection &p, int64_t t)
{
    return !current_of(window, p) && (t >= p.delay || window.agent.carries);
}

// Compute x(t) = grid(decay x(t-1)) + arrived(t); *before* is x(t-1), and may be the same row.
inline void next_trace(
    const Window &window, const Projection &p, int64_t t, const double *before, double *row)
{
    const int64_t n = p.n_pre * p.blocks;
    if (arrives(window, p, t) && p.decay != 0.0 && !p.is_signed) {
        decay_and_add<false>(p.decay, before, window.row(p.pre, t - p.delay), row, n);
        return;
    }
    if (p.decay == 0.0) {
        transmitted(window, p, t, row);
        return;
    }
    static thread_local Numbers arrived;
    arrived.resize(n);
    transmitted(window, p, t, arrived.data());
    if (p.is_signed) {  // each of them arrives as +-1
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) row[i] = arrived[i] + on_grid_quick(p.decay * before[i]);
        return;
    }
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) row[i] = arrived[i] + on_grid(p.decay * before[i]);
}

// Do so for n neurons from *first* on, of an unsigned projection of spikes.
inline void next_traces(
    const Window &window, const Projection &p, int64_t t, const double *before, double *row,
    int64_t first, int64_t n)
{
    static const uint8_t silence[64] = {0};
    const bool came = arrives(window, p, t);
    decay_and_add<false>(p.decay, before, came ? window.row(p.pre, t - p.delay) + first : silence, row, n);
}

inline double *carried_trace(const Window &window, const Projection &p)
{
    return p.trace + window.k * p.trace_size;
}

// Compute the traces of all steps, (window, n_pre).
inline void pre_trace(const Window &window, const Projection &p, double *x)
{
    const Agent &agent = window.agent;
    const int64_t n = p.n_pre * p.blocks;
    double *carried = carried_trace(window, p);
    for (int64_t t = 0; t < agent.window; t++)
        next_trace(window, p, t, t ? x + (t - 1) * n : carried, x + t * n);
    if (agent.carries) memcpy(carried, x + (agent.window - 1) * n, n * sizeof *x);
}

// Return |sum_t x(t)|**2 / (blocks steps): how strongly a projection drives its neurons.
inline double power(
    const Window &window, const Projection &p, int64_t first, const double *x, double *total)
{
    const int64_t n = p.n_pre * p.blocks;
    for (int64_t i = 0; i < n; i++) total[i] = 0.0;
    for (int64_t t = first; t < window.agent.window; t++)
        for (int64_t i = 0; i < n; i++) total[i] += x[t * n + i];
    return dot(total, total, n) / (double)p.blocks / (double)(window.agent.window - first);
}

// List the spikes that arrive over an unsigned projection.
inline Spikes arrivals_of(const Window &window, const Projection &p)
{
    const Agent &agent = window.agent;
    const int64_t begin = agent.carries ? 0 : p.delay < agent.window ? p.delay : agent.window;
    return window.spikes(p.pre).delayed(p.delay, begin, agent.window);
}

}  // namespace neurorl
