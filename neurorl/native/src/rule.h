// Eligibilities and weights: neurorl/learning/learner.py in C, one pass over the synapses a window.
//
// All sums S_ij = sum_t x_i(t) f_j(t) add numbers on a grid and are exact, so their order is free;
// where a factor is 0 without a spike, spikes are visited instead of steps.
#ifndef NEURORL_RULE_H
#define NEURORL_RULE_H
#include "critic.h"
#include "factors.h"
#include "spikes.h"
#include "sums.h"
#include "text.h"
#include "traces.h"
#include "writes.h"

namespace neurorl {

// The post factors of a layer in a window: dense (window, n), or gain[j] in every spike.
struct Post {
    bool dense;
    const double *dense_factors, *gain;  // gain null: 1
    Spikes spikes;                       // the spikes that count
    bool depresses;                      // whether arriving spikes subtract something
    const double *depressing;            // (window, n): what they subtract, for sums of numbers
    const int32_t *depressing_units;     // the same in units of the grid, for sums by tiles
    const double *powers;                // decay of a step's trace until the window's end
};

struct Buffers {
    Numbers factors, gain, depressing, pre, sum, turned, total, running;
    TileSums tiles;
    Spikes arrivals;
    Integers depressing_units;
    std::vector<uint8_t> is_made;
    std::vector<int64_t> begin;  // where the *steps* of each neuron's arrivals begin
    Integers steps;
};

// Return the part of x_i(t) that is left at the window's end.
inline double worth(const Post &post, int64_t t, double x) { return on_grid(post.powers[t] * x); }

// Compute one row of S, of a neuron with n_post targets; x_i(t) is at x[t * stride].
inline void row_sum(
    const Window &window, const Post &post, const double *x, int64_t stride, int64_t n_post,
    double *sum)
{
    const Agent &agent = window.agent;
    for (int64_t j = 0; j < n_post; j++) sum[j] = 0.0;
    for (int64_t t = 0; t < agent.window; t++) {
        const double at = worth(post, t, x[t * stride]);
        if (post.dense) {
            const double *f = post.dense_factors + t * n_post;
            for (int64_t j = 0; j < n_post; j++) sum[j] += at * f[j];
            continue;
        }
        const Spikes &spikes = post.spikes;
        for (int64_t s = spikes.first[t]; s < spikes.first[t + 1]; s++)
            sum[spikes.neuron[s]] += at;
    }
    if (!post.dense && post.gain)
        for (int64_t j = 0; j < n_post; j++) sum[j] *= post.gain[j];
}

// The memory of n synapses in a row: eligibilities and weights, or e_32 and levels, and who else is
// told of these.
struct Synapses {
    double *e, *w;
    float *e_32;
    int32_t *levels;
    Held held;

    static Synapses of(const Agent &agent, const Projection &p, int64_t k, int64_t synapses)
    {
        const int64_t o = k * synapses;
        return {
            at(p.eligibility, o), at(p.weights, o), at(p.eligibility_32, o), at(p.levels, o),
            Held::of(agent, p, k, synapses)};
    }

    Synapses from(int64_t offset) const
    {
        return {
            at(e, offset), at(w, offset), at(e_32, offset), at(levels, offset), held.from(offset)};
    }
};

inline float as_float(double sum) { return (float)sum; }
inline float as_float(int32_t units) { return (float)units * 0x1p-20f; }

const float FADED = 0x1p-60f, LARGEST_STEP = 0x1p29f;

// Return the factor of a change in units of the weights, which may be infinite.
inline float in_units(const Projection &p, double factor) { return (float)(factor * p.inverse); }

// Update n synapses in a row: e <- keep e + S in float32, and levels of weights by whole steps, as
// neurorl/learning/levels.py says. LATE: use the e of before.
template <bool LATE, class Sum>
inline void change_levels(
    const Change &change, const Projection &p, const Sum *__restrict sum, const Synapses &synapses,
    int64_t n)
{
    const float keep = (float)change.keep, factor = in_units(p, change.factor);
    const int32_t least = (int32_t)p.least, largest = (int32_t)p.largest;
    const double unit = p.unit, sent = p.transmitted_unit;
    float *__restrict e = synapses.e_32;
    int32_t *__restrict levels = synapses.levels;
    double *__restrict in_force = synapses.held.in_force;
    double *__restrict transmits = synapses.held.transmits;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        float remembered = keep * e[j] + as_float(sum[j]);
        remembered = __builtin_fabsf(remembered) < FADED ? 0.0f : remembered;
        float step = factor * (LATE ? e[j] : remembered);
        step = step < -LARGEST_STEP ? -LARGEST_STEP : step;
        step = step > LARGEST_STEP ? LARGEST_STEP : step;
        int32_t level = levels[j] + (int32_t)__builtin_rintf(step);
        level = level < least ? least : level;
        level = level > largest ? largest : level;
        e[j] = remembered;
        levels[j] = level;
        if (in_force) in_force[j] = (double)level * unit;
        if (transmits) transmits[j] = (double)level * sent;
    }
}

// Update n synapses in a row: e <- keep e + S, w <- clip(w + factor e), and the weight in force, which
// is a rounded copy. LATE: use the e of before.
template <bool LATE, class Sum>
inline void change_shadow(
    const Change &change, const Projection &p, const Sum *__restrict sum, const Synapses &synapses,
    int64_t n)
{
    const double keep = change.keep, factor = change.factor;
    const double low = p.low, high = p.high, inverse = p.inverse;
    const double limit = p.limit, unit = p.unit, sent = p.transmitted_unit;
    double *__restrict e = synapses.e, *__restrict w = synapses.w;
    double *__restrict in_force = synapses.held.in_force;
    double *__restrict transmits = synapses.held.transmits;
    int32_t *__restrict integers = synapses.held.integers;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const double remembered = keep * e[j] + as_double(sum[j]);
        double weight = w[j] + factor * (LATE ? e[j] : remembered);
        weight = weight < low ? low : weight;
        weight = weight > high ? high : weight;
        e[j] = remembered;
        w[j] = weight;
        double level = __builtin_rint(weight * inverse);
        level = level < -limit ? -limit : level;
        level = level > limit ? limit : level;
        if (in_force) in_force[j] = level * unit;
        if (transmits) transmits[j] = level * sent;
        if (integers) integers[j] = (int32_t)(level * sent);
    }
}

template <class Sum>
inline void apply(
    const Change &change, const Projection &p, const Sum *sum, const Synapses &synapses, int64_t n)
{
    if (synapses.held.agent->writes != SHADOW)
        write_row(change, p, sum, synapses.e, synapses.w, synapses.held, n);
    else if (p.is_fine && change.is_late)
        change_levels<true>(change, p, sum, synapses, n);
    else if (p.is_fine)
        change_levels<false>(change, p, sum, synapses, n);
    else if (change.is_late)
        change_shadow<true>(change, p, sum, synapses, n);
    else
        change_shadow<false>(change, p, sum, synapses, n);
}

// Update w <- clip(w + factor e) when nothing is to be remembered.
inline void apply_remembered(
    const Agent &agent, int64_t k, const Projection &p, double factor, Buffers &buffers)
{
    const int64_t synapses = p.n_pre * p.blocks * p.n_post;
    buffers.sum.assign(synapses, 0.0);
    const Change change = {1.0, factor, true, true};
    apply(change, p, buffers.sum.data(), Synapses::of(agent, p, k, synapses), synapses);
}

inline bool has_few(const Projection &p) { return p.n_post < 16 || p.blocks > 1; }

// Return whether the traces of a projection are computed step by step, as they are added up: few
// steps have a spike, and a window's traces crowd others out of the cache.
inline bool has_running_trace(const Window &window, const Projection &p, const Post &post)
{
    return has_few(p) && !post.dense && !window.agent.normalises;
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
    RunningTrace running(window, p, !x, buffers.running);
    for (int64_t t = 0; t < window.agent.window; t++) {
        const double *now = x ? x + t * n_pre * p.blocks : running.next(t);
        if (post.dense) {
            const double *f = post.dense_factors + t * n;
            for (int64_t j = 0; j < n; j++)
                add_few(p, post, now, t, j, f[j], turned, buffers.is_made);
            continue;
        }
        const Spikes &spikes = post.spikes;
        for (int64_t s = spikes.first[t]; s < spikes.first[t + 1]; s++) {
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
    const int64_t steps = arrivals.first.size() - 1;
    for (int64_t t = 0; t < steps; t++)
        for (int64_t s = arrivals.first[t]; s < arrivals.first[t + 1]; s++) {
            const int64_t i = arrivals.neuron[s];
            const double *taken = post.depressing + t * n + i / p.n_pre * n_post;
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
    return !has_few(p) && !post.dense && p.sums_fit && p.n_pre >= TILE;
}

// Learn in a tile of presynaptic neurons.
inline void learn_tile(
    const Projection &p, const Post &post, const Change &change, int64_t tile,
    const Synapses &synapses, Buffers &buffers)
{
    const int64_t n_post = p.n_post, begin = tile * TILE;
    const int64_t end = begin + TILE < p.n_pre ? begin + TILE : p.n_pre;
    buffers.tiles.sum(tile, post.spikes, n_post);
    for (int64_t i = begin; i < end; i++) {
        const Synapses row = synapses.from(i * n_post);
        if (!post.gain) {
            int32_t *units = buffers.tiles.row(i - begin);
            if (post.depresses) depress_row(post.depressing_units, i, n_post, buffers, units);
            apply(change, p, units, row, n_post);
            continue;
        }
        double *sum = buffers.sum.data();
        buffers.tiles.row(i - begin, post.gain, n_post, sum);
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
    const Synapses synapses = Synapses::of(agent, p, window.k, n);
    if (post.depresses) list_arrivals(window, p, buffers.arrivals);
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
    const int64_t cells = window.agent.nodes[layer.node].size * window.agent.window;
    bool in_units = false, in_numbers = false;
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const bool whole = !post.gain && by_tiles(layer.projections[l], post);
        (whole ? in_units : in_numbers) = true;
    }
    if (in_numbers) buffers.depressing.resize(cells);
    if (in_units) buffers.depressing_units.resize(cells);
    post.depresses = true;
    post.depressing = in_numbers ? buffers.depressing.data() : nullptr;
    post.depressing_units = in_units ? buffers.depressing_units.data() : nullptr;
    post_trace(
        window, layer, gate, in_numbers ? buffers.depressing.data() : nullptr,
        in_units ? buffers.depressing_units.data() : nullptr);
}

// List the spikes of steps from *begin* until *end*.
inline void list_spikes(
    const Window &window, const Layer &layer, int64_t begin, int64_t end, Spikes &spikes)
{
    window.spikes(layer.node).write(window.agent.window, 0, begin, end, spikes);
}

// Compute post factors by the rule's text. Return false if one of them isn't finite.
inline bool find_text_factors(
    const Window &window, const Layer &layer, Post &post, Buffers &buffers)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    const Wording wording = Wording::of(agent, layer);
    post.dense = !wording.text.is_gain;
    Numbers &values = post.dense ? buffers.factors : buffers.gain;
    values.resize(post.dense ? n * agent.window : n);
    compute_text(window, layer, wording, values.data());
    if (post.dense) {
        if (!are_factors(values.data(), values.size())) return false;
        post.dense_factors = values.data();
        post.gain = nullptr;
    } else {
        if (!repair_gain(window, layer, wording, values.data())) return false;
        bool all_ones = true;
        for (int64_t j = 0; j < n; j++) all_ones &= values[j] == 1.0;
        post.gain = all_ones ? nullptr : values.data();
        list_spikes(window, layer, wording.begin, wording.end, post.spikes);
    }
    if (layer.slow_trace) keep_slow(window, layer);
    if (agent.pairs_spikes)
        find_depressing(window, layer, agent.gates_depression ? post.gain : nullptr, post, buffers);
    return true;
}

// Compute the post factors of a layer by the agent's rule; list the spikes where most are 0. Return
// false if one of them isn't finite.
inline bool find_factors(
    const Window &window, const Layer &layer, const Layer *output, Post &post, Buffers &buffers)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    const bool is_critic = layer.role == CRITIC;
    const bool is_stdp = !is_critic && agent.pairs_spikes;
    post.powers = layer.powers;
    post.depresses = false;
    post.depressing = nullptr;
    post.depressing_units = nullptr;
    if (!is_critic && agent.rule == TEXT) return find_text_factors(window, layer, post, buffers);
    post.dense = !is_critic && is_dense(agent.rule);
    if (post.dense) {
        buffers.factors.resize(n * agent.window);
        post.dense_factors = buffers.factors.data();
        dense_factors(window, layer, *output, buffers.factors.data());
        return are_factors(post.dense_factors, n * agent.window);
    }
    buffers.gain.resize(n);
    post.gain = is_stdp && agent.rule == REWARD_STDP ? nullptr : buffers.gain.data();
    if (is_critic)
        critic_gain(window, layer, buffers.gain.data());
    else if (agent.rule == TD_STDP)
        stdp_gate(window, layer, buffers.gain.data());
    else if (post.gain)
        spikes_only(window, layer, buffers.gain.data());
    list_spikes(window, layer, is_stdp ? 0 : layer.first, agent.window, post.spikes);
    if (is_stdp) find_depressing(window, layer, post.gain, post, buffers);
    return true;
}

}  // namespace neurorl

#endif
