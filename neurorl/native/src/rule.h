// Eligibilities and weights, neurorl/learner.py in C: one pass over the synapses for each window.
//
// All sums S_ij = sum_t x_i(t) f_j(t) are of numbers on a grid, so exact: their order is free, and
// spikes are visited instead of steps wherever a factor is 0 without one.
#ifndef NEURORL_RULE_H
#define NEURORL_RULE_H
#include <vector>
#include "factors.h"
#include "sums.h"

namespace neurorl {

// The factors of a layer's neurons in a window: dense (window, n), or gain[j] in every spike.
struct Post {
    bool dense;
    const double *dense_factors, *gain;  // gain null: 1
    std::vector<int32_t> step, neuron;  // of the spikes that count, in order of steps
    std::vector<int64_t> until;         // number of them in this step and before
    const double *depressing;           // (window, n): what an arriving spike takes off, or null
};

struct Buffers {
    std::vector<double> factors, gain, depressing, pre, sum, turned, total;
    Traces traces;
};

inline void find_spikes(const Window &window, const Layer &layer, Post &post)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    post.step.clear();
    post.neuron.clear();
    post.until.assign(window.agent.window, 0);
    for (int64_t t = layer.first; t < window.agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        int64_t j = 0;
        for (; j + 8 <= n; j += 8) {
            uint64_t eight;
            memcpy(&eight, spikes + j, 8);
            if (!eight) continue;
            for (int64_t l = j; l < j + 8; l++)
                if (spikes[l]) post.step.push_back(t), post.neuron.push_back(l);
        }
        for (; j < n; j++)
            if (spikes[j]) post.step.push_back(t), post.neuron.push_back(j);
        post.until[t] = post.neuron.size();
    }
}

// y(t) = grid(decay y(t-1)) + s(t), and what it takes off at the window's end for a spike that
// arrives at t.
inline void post_trace(const Window &window, const Layer &layer, double *depressing)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    double *y = layer.post_trace + window.k * n;
    for (int64_t t = 0; t < agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        const double scale = agent.depression * agent.powers[t];
        double *row = depressing + t * n;
#pragma GCC ivdep
        for (int64_t j = 0; j < n; j++) {
            y[j] = on_grid(layer.post_decay * y[j]) + (double)spikes[j];
            row[j] = on_grid(scale * y[j]);
        }
    }
}

// x(t) = grid(decay x(t-1)) + what arrives; for reward-stdp also what it is worth at the end.
inline void pre_trace(const Window &window, const Projection &p, double *x)
{
    const Agent &agent = window.agent;
    const int64_t n = p.n_pre * p.blocks;
    double *carried = p.trace + window.k * n;
    for (int64_t t = 0; t < agent.window; t++) {
        double *row = x + t * n;
        transmitted(window, p, t, row);
        if (p.decay == 0.0) continue;
        const double *before = t ? row - n : carried;
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) row[i] += on_grid(p.decay * before[i]);
    }
    if (agent.carries) memcpy(carried, x + (agent.window - 1) * n, n * sizeof *x);
}

// sum over projections of |sum_t x(t)|**2 / (blocks steps): how strongly a layer is driven.
inline double power(const Window &window, const Projection &p, int64_t first, const double *x, double *total)
{
    const int64_t n = p.n_pre * p.blocks;
    for (int64_t i = 0; i < n; i++) total[i] = 0.0;
    for (int64_t t = first; t < window.agent.window; t++)
        for (int64_t i = 0; i < n; i++) total[i] += x[t * n + i];
    return dot(total, total, n) / (double)p.blocks / (double)(window.agent.window - first);
}

// One row of S, of a neuron i with n_post targets from first on: x_i(t) is at x[t * stride].
inline void row_sum(
    const Window &window, const Post &post, const double *x, int64_t stride, int64_t n_post,
    int64_t n, int64_t first, double *sum)
{
    const int64_t steps = window.agent.window;
    for (int64_t j = 0; j < n_post; j++) sum[j] = 0.0;
    if (post.dense) {
        for (int64_t t = 0; t < steps; t++) {
            const double at = x[t * stride], *f = post.dense_factors + t * n + first;
            if (at == 0.0) continue;
            for (int64_t j = 0; j < n_post; j++) sum[j] += at * f[j];
        }
        return;
    }
    const int32_t *neuron = post.neuron.data();
    for (int64_t t = 0; t < steps; t++) {
        const double at = x[t * stride];
        const int32_t *const end = neuron + post.until[t];
        for (const int32_t *s = neuron + (t ? post.until[t - 1] : 0); s < end; s++) sum[*s] += at;
    }
    if (post.gain)
        for (int64_t j = 0; j < n_post; j++) sum[j] *= post.gain[j];
}

inline void depress_row(
    const Window &window, const Projection &p, const Post &post, int64_t i, const double *arrived,
    int64_t n, double *sum)
{
    const int64_t n_pre = p.n_pre * p.blocks;
    for (int64_t t = 0; t < window.agent.window; t++) {
        const double at = arrived[t * n_pre + i];
        if (at == 0.0) continue;
        const double *taken = post.depressing + t * n;
        for (int64_t j = 0; j < p.n_post; j++) sum[j] -= at * taken[j];
    }
}

// e <- keep e + S; w <- clip(w + change e); and the weight in force, for n synapses in a row.
// FINE: the weight that learns is the one in force.
template <bool FINE>
inline void change_row(
    double keep, const Projection &p, double factor, const double *__restrict sum,
    double *__restrict e, double *__restrict w, double *__restrict in_force,
    double *__restrict transmits, int64_t n)
{
    const double low = p.low, high = p.high, inverse = p.inverse;
    const double limit = p.limit, unit = p.unit, sent = p.transmitted_unit;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const double remembered = keep * e[j] + sum[j];
        double weight = w[j] + factor * remembered;
        weight = weight < low ? low : weight;
        weight = weight > high ? high : weight;
        e[j] = remembered;
        double level = __builtin_rint(weight * inverse);
        level = level < -limit ? -limit : level;
        level = level > limit ? limit : level;
        w[j] = FINE ? level * unit : weight;
        if (in_force) in_force[j] = level * unit;
        if (transmits) transmits[j] = level * sent;
    }
}

inline void change(
    const Agent &agent, const Projection &p, double factor, const double *sum, double *e,
    double *w, double *in_force, double *transmits, int64_t n)
{
    if (p.is_fine)
        change_row<true>(agent.keep, p, factor, sum, e, w, in_force, transmits, n);
    else
        change_row<false>(agent.keep, p, factor, sum, e, w, in_force, transmits, n);
}

inline double *at(double *array, int64_t offset) { return array ? array + offset : nullptr; }

// Projections to few neurons of a block: S is summed with presynaptic neurons contiguous.
inline void turned_sum(
    const Window &window, const Projection &p, const Post &post, const double *x,
    const double *arrived, double *turned, double *sum)
{
    const Agent &agent = window.agent;
    const int64_t n_pre = p.n_pre, n_post = p.n_post, n = n_post * p.blocks;
    const int64_t all_pre = n_pre * p.blocks;
    for (int64_t s = 0; s < n * n_pre; s++) turned[s] = 0.0;
    if (post.dense) {
        for (int64_t t = 0; t < agent.window; t++)
            for (int64_t j = 0; j < n; j++) {
                const double f = post.dense_factors[t * n + j];
                const double *from = x + t * all_pre + j / n_post * n_pre;
                if (f == 0.0) continue;
                for (int64_t i = 0; i < n_pre; i++) turned[j * n_pre + i] += f * from[i];
            }
    } else {
        for (size_t s = 0; s < post.step.size(); s++) {
            const int64_t t = post.step[s], j = post.neuron[s];
            const double *from = x + t * all_pre + j / n_post * n_pre;
            const double gain = post.gain ? post.gain[j] : 1.0;
            for (int64_t i = 0; i < n_pre; i++) turned[j * n_pre + i] += gain * from[i];
        }
    }
    for (int64_t t = 0; post.depressing && t < agent.window; t++) {
        const double *taken = post.depressing + t * n;
        for (int64_t i = 0; i < all_pre; i++) {
            const double a = arrived[t * all_pre + i];
            if (a == 0.0) continue;
            const int64_t first = i / n_pre * n_post;
            for (int64_t j = first; j < first + n_post; j++)
                turned[j * n_pre + i % n_pre] -= a * taken[j];
        }
    }
    for (int64_t b = 0; b < p.blocks; b++)
        for (int64_t i = 0; i < n_pre; i++)
            for (int64_t j = 0; j < n_post; j++)
                sum[(b * n_pre + i) * n_post + j] = turned[(b * n_post + j) * n_pre + i];
}

const int64_t FEW = 16;

// The pass over a projection. x: traces (window, n_pre), what arrived if depressing.
inline void learn_projection(
    const Window &window, const Projection &p, const Post &post, const double *x,
    const double *arrived, double factor, Buffers &buffers)
{
    const Agent &agent = window.agent;
    const int64_t n_pre = p.n_pre * p.blocks, n_post = p.n_post, n = n_post * p.blocks;
    const int64_t synapses = n_pre * n_post, offset = window.k * synapses;
    double *e = p.eligibility + offset, *w = p.weights + offset;
    double *in_force = at(p.in_force, offset), *transmits = at(p.transmitted, offset);
    if (n_post < FEW || p.blocks > 1) {
        buffers.turned.resize(synapses);
        buffers.sum.resize(synapses);
        turned_sum(window, p, post, x, arrived, buffers.turned.data(), buffers.sum.data());
        change(agent, p, factor, buffers.sum.data(), e, w, in_force, transmits, synapses);
        return;
    }
    buffers.sum.resize(n_post);
    double *sum = buffers.sum.data();
    const bool by_tiles = !post.dense && p.sums_fit && n_pre >= TILE;
    if (by_tiles) buffers.traces.set(x, agent.window, n_pre);
    for (int64_t i = 0; i < n_pre; i++) {
        if (by_tiles) {
            if (i % TILE == 0)
                buffers.traces.sum(i / TILE, post.neuron.data(), post.until.data(), n_post);
            buffers.traces.row(i % TILE, post.gain, n_post, sum);
        } else {
            row_sum(window, post, x + i, n_pre, n_post, n, 0, sum);
        }
        if (post.depressing) depress_row(window, p, post, i, arrived, n, sum);
        const int64_t row = i * n_post;
        change(agent, p, factor, sum, e + row, w + row, at(in_force, row), at(transmits, row), n_post);
    }
}

// The factors of a layer, as a rule has them; the spikes are listed where most factors are 0.
inline void find_factors(
    const Window &window, const Layer &layer, const Layer *output, Post &post, Buffers &buffers)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, cells = n * agent.window;
    post.dense = agent.rule == CENTRED_FEEDBACK;
    post.depressing = nullptr;
    if (post.dense) {
        buffers.factors.resize(cells);
        centred_feedback(window, layer, *output, buffers.factors.data());
    } else {
        buffers.gain.resize(n);
        post.gain = agent.rule == SPIKES_ONLY ? buffers.gain.data() : nullptr;
        if (post.gain) spikes_only(window, layer, buffers.gain.data());
        find_spikes(window, layer, post);
        if (agent.rule == REWARD_STDP) {
            buffers.depressing.resize(cells);
            post_trace(window, layer, buffers.depressing.data());
            post.depressing = buffers.depressing.data();
        } else if ((int64_t)post.step.size() * 8 > cells) {
            post.dense = true;  // so many spikes that whole rows are quicker
            buffers.factors.assign(cells, 0.0);
            for (size_t s = 0; s < post.step.size(); s++)
                buffers.factors[post.step[s] * n + post.neuron[s]] = buffers.gain[post.neuron[s]];
        }
    }
    post.dense_factors = buffers.factors.data();
}

}  // namespace neurorl

#endif
