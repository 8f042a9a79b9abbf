// Post factors: what the texts of rules name, neurorl/rules/post_factor.py in C.
#pragma once

#include "membranes.h"

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
    const Layer *layer;
    const double *before, *gate;  // of what depresses: the neurons' traces before, and a factor or null
};

// Return the part of x_i(t) that is left at the window's end.
inline double worth(const Post &post, int64_t t, double x) { return on_grid(post.powers[t] * x); }

// Return how many neurons of a layer belong to a module.
inline int64_t per_module(const Agent &agent, const Layer &layer)
{
    return layer.signs ? agent.nodes[layer.node].size / agent.n_output : 1;
}

// Write for all neurons the number of their spikes in the steps that count.
inline void count_spikes(const Window &window, const Layer &layer, double *count)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    for (int64_t j = 0; j < n; j++) count[j] = 0.0;
    for (int64_t t = layer.begin; t < window.agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        for (int64_t j = 0; j < n; j++) count[j] += spikes[j];
    }
}

// Write to x for each neuron what its module is told: *told* is (replica, n_actions), phi or t, and
// modules have actors in the outer order. Outside of modules it is 1.
inline void broadcast(const Window &window, const Layer &layer, const double *told, double *x)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, size = per_module(agent, layer);
    const bool in_modules = layer.role == OUTPUT || layer.signs;
    told += window.k * agent.n_actions;
    for (int64_t first = 0, action = 0; first < n; first += size) {
        const double own = in_modules ? told[action] : 1.0;
        for (int64_t j = first; j < first + size; j++) x[j] = own;
        action = action + 1 < agent.n_actions ? action + 1 : 0;
    }
}

// Write y (window, n): the output of each neuron's module when its spike has come so far.
inline void answers(const Window &window, const Layer &layer, double *y)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, size = per_module(agent, layer);
    for (int64_t t = 0; t < agent.window; t++, y += n) {
        const int64_t row = ((t + layer.lag) * agent.n_replicas + window.k) * agent.n_output;
        for (int64_t first = 0; first < n; first += size) {
            double answer = 0.0;
            if (t + layer.lag < agent.window)
                answer = 2.0 * (double)agent.output[row + first / size] - 1.0;
            for (int64_t j = first; j < first + size; j++) y[j] = answer;
        }
    }
}

// Write for each step what is left of a neuron's own spikes before it, (window, n).
inline void slow_traces(const Window &window, const Layer &layer, double *slow)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    const double *y = layer.slow_trace + window.k * n;
    for (int64_t t = 0; t < agent.window; t++) {
        double *row = slow + t * n;
        const uint8_t *spikes = t ? window.row(layer.node, t - 1) : nullptr;
        for (int64_t j = 0; j < n; j++) {
            const double before = t ? row[j - n] + (double)spikes[j] : y[j];
            row[j] = on_grid(layer.slow_decay * before);
        }
    }
}

// Bring the slow traces to the window's end.
inline void keep_slow(const Window &window, const Layer &layer)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    double *y = layer.slow_trace + window.k * n;
    for (int64_t t = 0; t < window.agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        for (int64_t j = 0; j < n; j++) y[j] = on_grid(layer.slow_decay * y[j]) + (double)spikes[j];
    }
}

// Compute post factors: (window, n), 0 in steps that don't count; or (n,) if they are a gain.
inline void compute_text(const Window &window, const Layer &layer, double *f)
{
    static thread_local Numbers per_neuron, per_step;
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, cells = n * agent.window;
    const int64_t used = layer.text->used;
    per_neuron.resize(4 * n);
    per_step.resize(4 * cells);
    double *phi = per_neuron.data(), *t = phi + n, *count = t + n, *ones = count + n;
    double *p = per_step.data(), *y = p + cells, *v = y + cells, *slow = v + cells;
    for (int64_t j = 0; j < n; j++) ones[j] = 1.0;
    if (used & USED_phi) broadcast(window, layer, agent.phi, phi);
    if (used & USED_t) broadcast(window, layer, agent.t, t);
    if (used & USED_n) count_spikes(window, layer, count);
    if (used & USED_slow) slow_traces(window, layer, slow);
    if (used & USED_y) answers(window, layer, y);
    if (used & (USED_p | USED_v))
        membranes(window, layer, used & USED_p ? p : nullptr, used & USED_v ? v : nullptr);
    const bool has_path = layer.signs && used & USED_V;
    const double *path = has_path ? window.paths[&layer - agent.layers].data() : ones;
    const double *sign = layer.signs ? layer.signs + window.k * n : ones;
    const double counted = (double)(agent.window - layer.begin);
    const double *threshold = layer.equations ? layer.equations->threshold : nullptr;
    layer.text->compute(
        {n, agent.window, agent.n_replicas * n, window.row(layer.node, 0), p, y, v, slow, phi, t, sign,
         path, count, threshold, counted, window.modulator},
        f);
    for (int64_t step = 0; !layer.text->is_gain && step < agent.window; step++)
        if (step < layer.begin || step >= layer.end) memset(f + step * n, 0, n * sizeof *f);
}

// Take a gain that isn't finite, or beyond the largest factor, for 0 where no spike counts. Return
// false where one does.
inline bool repair_gain(const Window &window, const Layer &layer, double *gain)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    if (are_factors(gain, n)) return true;
    for (int64_t j = 0; j < n; j++) {
        if (are_factors(gain + j, 1)) continue;
        for (int64_t t = layer.begin; t < layer.end; t++)
            if (window.row(layer.node, t)[j]) return false;
        gain[j] = 0.0;
    }
    return true;
}

}  // namespace neurorl
