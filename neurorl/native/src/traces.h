// Traces of a window: neurorl/rules/three_factor.py in C.
#ifndef NEURORL_TRACES_H
#define NEURORL_TRACES_H
#include "factors.h"
#include "spikes.h"

namespace neurorl {

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
        const double scale = agent.depression * layer.powers[t];
        int32_t *whole = units + t * n;
        double *row = depressing + t * n;
        if (units && !depressing) {
#pragma GCC ivdep
            for (int64_t j = 0; j < n; j++) {
                y[j] = on_grid_quick(decay * y[j]) + (double)spikes[j];
                whole[j] = grid_units(scale * y[j]);
            }
            continue;
        }
#pragma GCC ivdep
        for (int64_t j = 0; j < n; j++) {
            y[j] = on_grid_quick(decay * y[j]) + (double)spikes[j];
            row[j] = on_grid(scale * y[j]);
        }
        if (gate)
            for (int64_t j = 0; j < n; j++) row[j] = on_grid(row[j] * gate[j]);
        if (units)
            for (int64_t j = 0; j < n; j++) whole[j] = grid_units(row[j]);
    }
}

// Compute x(t) = grid(decay x(t-1)) + arrived(t), shape (window, n_pre).
inline void pre_trace(const Window &window, const Projection &p, double *x)
{
    const Agent &agent = window.agent;
    const int64_t n = p.n_pre * p.blocks;
    const double decay = p.decay;
    double *carried = p.trace + window.k * n;
    const bool is_current = current_of(window, p);
    const double high = p.is_signed ? 2.0 : 1.0, low = p.is_signed ? -1.0 : 0.0;
    for (int64_t t = 0; t < agent.window; t++) {
        double *__restrict row = x + t * n;
        const double *__restrict before = t ? row - n : carried;
        const bool arrive = !is_current && (t >= p.delay || agent.carries);
        if (arrive && decay != 0.0) {
            const uint8_t *__restrict spikes = window.row(p.pre, t - p.delay);
            for (int64_t i = 0; i < n; i++)
                row[i] = high * (double)spikes[i] + low + on_grid_quick(decay * before[i]);
            continue;
        }
        transmitted(window, p, t, row);
        if (decay == 0.0) continue;
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) row[i] += on_grid(decay * before[i]);
    }
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
inline void list_arrivals(const Window &window, const Projection &p, Spikes &arrivals)
{
    const Agent &agent = window.agent;
    const int64_t n = p.n_pre * p.blocks;
    arrivals.clear(agent.window, n);
    for (int64_t t = 0; t < agent.window; t++) {
        if (t >= p.delay || agent.carries) arrivals.add(t, window.row(p.pre, t - p.delay), n);
        arrivals.end_step(t);
    }
}

}  // namespace neurorl

#endif
