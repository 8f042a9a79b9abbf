// Eligibilities and weights: neurorl/learning/learner.py in C, one pass over the synapses a window.
//
// All sums S_ij = sum_t x_i(t) f_j(t) add numbers on a grid and are exact, so their order is free;
// where a factor is 0 without a spike, spikes are visited instead of steps.
#pragma once

#include "critic.h"
#include "factors.h"
#include "lists.h"
#include "spikes.h"
#include "sums.h"
#include "writes.h"

namespace neurorl {

struct Buffers {
    Numbers factors, gain, depressing, before, pre, sum, turned, total, running;
    TileSums tiles;
    Spikes arrivals;
    Integers depressing_units;
    std::vector<uint8_t> is_made;
    std::vector<int64_t> begin;  // where the *steps* of each neuron's arrivals begin
    Integers steps;
};

// Compute one row of S, of a neuron with n_post targets; x_i(t) is at x[t * stride].
inline void row_sum(
    const Window &window, const Post &post, const double *x, int64_t stride, int64_t n_post,
    double *sum)
{
    const Agent &agent = window.agent;
    const Spikes &spikes = post.spikes;
    int64_t s = 0;
    for (int64_t j = 0; j < n_post; j++) sum[j] = 0.0;
    for (int64_t t = 0; t < agent.window; t++) {
        const double at = worth(post, t, x[t * stride]);
        if (post.dense && at == 0.0) continue;
        if (post.dense) {
            const double *f = post.dense_factors + t * n_post;
            for (int64_t j = 0; j < n_post; j++) sum[j] += at * f[j];
            continue;
        }
        for (; s < spikes.count && spikes.step(s) == t; s++) sum[spikes.neuron[s]] += at;
    }
    if (!post.dense && post.gain)
        for (int64_t j = 0; j < n_post; j++) sum[j] *= post.gain[j];
}

// Update w <- clip(w + factor e) when nothing is to be remembered.
inline void apply_remembered(
    const Agent &agent, int64_t k, const Projection &p, double factor, Buffers &buffers)
{
    const int64_t n = p.start ? p.start[p.n_pre] : p.n_synapses;
    buffers.sum.assign(n, 0.0);
    const Change change = {1.0, factor, true, true};
    apply(change, p, buffers.sum.data(), Synapses::of(agent, p, k), n, p.numbers);
}

inline bool has_few(const Projection &p) { return p.n_post < 16 || p.blocks > 1; }

// Return whether the traces of a projection are computed step by step, as they are added up: few
// steps have a spike, and a window's traces crowd others out of the cache.
inline bool has_running_trace(const Window &window, const Projection &p, const Post &post)
{
    const bool visits = p.start ? !p.is_signed && !current_of(window, p) : has_few(p) && !post.dense;
    return visits && !window.agent.normalises;
}

// Add the factor f that neuron j has in step t, times the traces *x* of that step.
inline void add_few(
    const Projection &p, const Post &post, const double *x, int64_t t, int64_t j, double f,
    double *turned, std::vector<uint8_t> &is_made)
{
    const double *from = x + j / p.n_post * p.n_pre;
    double *to = turned + j * p.n_pre;
    if (!is_made[j]) memset(to, 0, p.n_pre * sizeof *to);
    is_made[j] = 1;
    for (int64_t i = 0; i < p.n_pre; i++) to[i] += f * worth(post, t, from[i]);
}

// Compute S (blocks, pre, post) for projections to few neurons a block. Presynaptic neurons are
// contiguous in *turned* (post, pre), where only what neurons with a factor potentiate is made.
// x: traces (window, n_pre), null to compute them here.
inline void few_sums(
    const Window &window, const Projection &p, const Post &post, const double *x, Buffers &buffers)
{
    const int64_t n_pre = p.n_pre, n_post = p.n_post, n = n_post * p.blocks;
    buffers.sum.resize(n_pre * n);
    double *sum = buffers.sum.data();
    memset(sum, 0, n_pre * n * sizeof *sum);
    buffers.is_made.assign(n, 0);
    if (n_post > 1) buffers.turned.resize(n_pre * n);
    double *turned = n_post > 1 ? buffers.turned.data() : sum;
    double *carried = carried_trace(window, p), *row = carried;
    if (!x && !window.agent.carries) {
        buffers.running.resize(n_pre * p.blocks);
        row = buffers.running.data();
    }
    const Spikes &spikes = post.spikes;
    int64_t s = 0;
    for (int64_t t = 0; t < window.agent.window; t++) {
        if (!x) next_trace(window, p, t, t ? row : carried, row);
        const double *now = x ? x + t * n_pre * p.blocks : row;
        if (post.dense) {
            const double *f = post.dense_factors + t * n;
            for (int64_t j = 0; j < n; j++)
                add_few(p, post, now, t, j, f[j], turned, buffers.is_made);
            continue;
        }
        for (; s < spikes.count && spikes.step(s) == t; s++) {
            const int64_t j = spikes.neuron[s];
            const double f = post.gain ? post.gain[j] : 1.0;
            add_few(p, post, now, t, j, f, turned, buffers.is_made);
        }
    }
    if (n_post == 1) return;
    for (int64_t j = 0; j < n; j++) {
        if (!buffers.is_made[j]) continue;
        double *to = sum + j / n_post * n_pre * n_post + j % n_post;
        for (int64_t i = 0; i < n_pre; i++) to[i * n_post] = turned[j * n_pre + i];
    }
}

// Subtract what arriving spikes depress from S (blocks, pre, post).
inline void depress_few(const Projection &p, const Post &post, const Spikes &arrivals, double *sum)
{
    const int64_t n_post = p.n_post, n = n_post * p.blocks;
    const double *depressing = post.depressing;
    for (int64_t s = 0; s < arrivals.count; s++) {
        const int64_t i = arrivals.neuron[s], block = p.blocks > 1 ? i / p.n_pre : 0;
        const double *taken = depressing + arrivals.step(s) * n + block * n_post;
        double *from = sum + i * n_post;
        for (int64_t j = 0; j < n_post; j++) from[j] -= taken[j];
    }
}

// Subtract what arriving spikes of neuron i depress from row i of S.
template <class Sum>
inline void depress_row(
    const Sum *depressing, int64_t i, int64_t n_post, const Buffers &buffers, Sum *__restrict sum)
{
    for (int64_t s = buffers.begin[i]; s < buffers.begin[i + 1]; s++) {
        const Sum *__restrict taken = depressing + buffers.steps[s] * n_post;
        for (int64_t j = 0; j < n_post; j++) sum[j] -= taken[j];
    }
}

inline bool by_tiles(const Projection &p, const Post &post)
{
    return !p.start && !has_few(p) && !post.dense && p.sums_fit && p.n_pre >= TILE;
}

// Return whether n synapses remember nothing: a window without traces leaves them as they are.
inline bool has_faded(const Synapses &synapses, int64_t n)
{
    if (!synapses.levels || synapses.agent->writes->kernel != SHADOW) return false;
    uint32_t any = 0;
    for (int64_t j = 0; j < n; j++) {
        uint32_t bits;
        memcpy(&bits, synapses.e_32 + j, sizeof bits);
        any |= bits;
    }
    return any == 0;
}

// Learn in a tile of presynaptic neurons.
inline void learn_tile(
    const Projection &p, const Post &post, const Change &change, int64_t tile,
    const Synapses &synapses, Buffers &buffers)
{
    const int64_t n_post = p.n_post, begin = tile * TILE;
    const int64_t end = begin + TILE < p.n_pre ? begin + TILE : p.n_pre;
    TileSums &tiles = buffers.tiles;
    if (tiles.is_silent(tile) && has_faded(synapses.from(begin * n_post), (end - begin) * n_post)) return;
    tiles.sum(tile, post.spikes, n_post);
    if (!post.gain && tiles.has_joined_rows()) {
        for (int64_t i = begin; i < end && post.depresses; i++)
            depress_row(post.depressing_units, i, n_post, buffers, tiles.row(i - begin));
        apply(change, p, tiles.row(0), synapses.from(begin * n_post), (end - begin) * n_post);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        const Synapses row = synapses.from(i * n_post);
        if (!post.gain) {
            int32_t *units = tiles.row(i - begin);
            if (post.depresses) depress_row(post.depressing_units, i, n_post, buffers, units);
            apply(change, p, units, row, n_post);
            continue;
        }
        double *sum = buffers.sum.data();
        tiles.row(i - begin, post.gain, n_post, sum);
        if (post.depresses) depress_row(post.depressing, i, n_post, buffers, sum);
        apply(change, p, sum, row, n_post);
    }
}

// Learn in a projection with traces x (window, n_pre), null if they run along.
inline void learn_projection(
    const Window &window, const Projection &p, const Post &post, const double *x,
    const Change &change, Buffers &buffers)
{
    const Agent &agent = window.agent;
    const int64_t n_pre = p.n_pre * p.blocks, n_post = p.n_post, n = n_pre * n_post;
    const Synapses synapses = Synapses::of(agent, p, window.k);
    if (p.start) {
        learn_list(window, p, post, x, change, synapses, buffers.sum, buffers.turned);
        return;
    }
    if (post.depresses) buffers.arrivals = arrivals_of(window, p);
    if (has_few(p)) {
        few_sums(window, p, post, x, buffers);
        double *sum = buffers.sum.data();
        if (post.depresses) depress_few(p, post, buffers.arrivals, sum);
        apply(change, p, sum, synapses, n);
        return;
    }
    buffers.sum.resize(n_post);
    double *sum = buffers.sum.data();
    if (post.depresses) buffers.arrivals.by_neuron(n_pre, buffers.begin, buffers.steps);
    if (by_tiles(p, post)) {
        buffers.tiles.set(x, post.powers, agent.window, n_pre);
        // Alternate the direction, so that the next tiles are those still in the cache.
        const bool back = agent.decisions[window.k] & 1;
        const int64_t tiles = (n_pre + TILE - 1) / TILE;
        for (int64_t m = 0; m < tiles; m++)
            learn_tile(p, post, change, back ? tiles - 1 - m : m, synapses, buffers);
        return;
    }
    for (int64_t i = 0; i < n_pre; i++) {
        row_sum(window, post, x + i, n_pre, n_post, sum);
        if (post.depresses) depress_row(post.depressing, i, n_post, buffers, sum);
        apply(change, p, sum, synapses.from(i * n_post), n_post);
    }
}

// Compute what spikes that arrive subtract. gate: of each neuron, or null.
inline void find_depressing(
    const Window &window, const Layer &layer, const double *gate, Post &post, Buffers &buffers)
{
    const int64_t n = window.agent.nodes[layer.node].size, cells = n * window.agent.window;
    bool in_units = false, in_numbers = false, in_lists = false;
    for (int64_t l = 0; l < layer.n_projections; l++) {
        in_lists |= layer.projections[l].start != nullptr;
        if (layer.projections[l].start) continue;
        const bool whole = !post.gain && by_tiles(layer.projections[l], post);
        (whole ? in_units : in_numbers) = true;
    }
    if (in_numbers) buffers.depressing.resize(cells);
    if (in_units) buffers.depressing_units.resize(cells);
    const double *y = layer.post_trace + window.k * n;
    if (in_lists) buffers.before.assign(y, y + n);
    post.before = buffers.before.data();
    post.gate = gate;
    post.depresses = true;
    post.depressing = in_numbers ? buffers.depressing.data() : nullptr;
    post.depressing_units = in_units ? buffers.depressing_units.data() : nullptr;
    post_trace(
        window, layer, gate, in_numbers ? buffers.depressing.data() : nullptr,
        in_units ? buffers.depressing_units.data() : nullptr);
}

// Compute the post factors of a layer; list the spikes where they are a gain. Return false if one of
// them isn't finite.
inline bool find_factors(const Window &window, const Layer &layer, Post &post, Buffers &buffers)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    post.powers = layer.powers;
    post.layer = &layer;
    post.depresses = false;
    post.dense = layer.text ? !layer.text->is_gain : !layer.given_gain;
    Numbers &values = post.dense ? buffers.factors : buffers.gain;
    values.resize(post.dense ? n * agent.window : n);
    if (layer.text) compute_text(window, layer, values.data());
    for (int64_t t = 0; !layer.text && t < (int64_t)values.size() / n; t++)
        memcpy(&values[t * n], layer.given + (t * agent.n_replicas + window.k) * n, n * sizeof(double));
    if (post.dense) {
        if (!are_factors(values.data(), values.size())) return false;
        post.dense_factors = values.data();
        post.gain = nullptr;
    } else {
        if (!repair_gain(window, layer, values.data())) return false;
        bool all_ones = true;
        for (int64_t j = 0; j < n; j++) all_ones &= values[j] == 1.0;
        post.gain = all_ones ? nullptr : values.data();
        post.spikes = window.spikes(layer.node).delayed(0, layer.begin, layer.end);
    }
    if (layer.slow_trace) keep_slow(window, layer);
    if (layer.pairs_spikes)
        find_depressing(window, layer, layer.gates_depression ? post.gain : nullptr, post, buffers);
    return true;
}

}  // namespace neurorl
