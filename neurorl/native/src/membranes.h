// Membranes and spike probabilities of a window: neurorl/rules/membrane.py in C.
#pragma once

#include "buffers.h"
#include "agent.h"
#include "elementary.h"
#include "spikes.h"

namespace neurorl {

// One replica of an agent in one window, with access to the raster rows of its nodes.
struct Window {
    const Agent &agent;
    int64_t k;
    const Numbers *paths;  // path weights of each layer before this window changes them, or null
    double modulator;  // of this window's decision, clipped
    std::vector<NodeSpikes> *listed;  // of each node, made when first asked for

    const uint8_t *row(int64_t node, int64_t t) const
    {
        const Node &n = agent.nodes[node];
        if (t >= 0) return n.raster + (t * agent.n_replicas + k) * n.size;
        return n.last + (k * n.depth + n.depth + t) * n.size;
    }

    const NodeSpikes &spikes(int64_t node) const
    {
        NodeSpikes &made = (*listed)[node];
        const Node &n = agent.nodes[node];
        if (!made.is_made)
            made.make(
                agent.carries ? n.depth : 0, agent.window, n.size,
                [&](int64_t t) { return row(node, t); });
        return made;
    }
};

// Return the activations of a source of currents, or null.
inline const double *current_of(const Window &window, const Projection &p)
{
    const Node &node = window.agent.nodes[p.pre];
    return node.current ? node.current + window.k * node.size : nullptr;
}

// Write to x, for all presynaptic neurons, what arrives in step t over a projection: 0 or 1, +-1 if
// it is signed, or in every step the activation of a current.
inline void transmitted(const Window &window, const Projection &p, int64_t t, double *x)
{
    const int64_t n = p.n_pre * p.blocks;
    if (const double *current = current_of(window, p)) {
        memcpy(x, current, n * sizeof *x);
        return;
    }
    if (t < p.delay && !window.agent.carries) {
        for (int64_t i = 0; i < n; i++) x[i] = p.is_signed ? -1.0 : 0.0;
        return;
    }
    const uint8_t *spikes = window.row(p.pre, t - p.delay);
    const double high = p.is_signed ? 2.0 : 1.0, low = p.is_signed ? -1.0 : 0.0;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) x[i] = high * (double)spikes[i] + low;
}

// Add q_j += sum_i x_i w_ij, in the order of i.
inline void add_products(const Window &window, const Projection &p, const double *x, double *q)
{
    const int64_t n_pre = p.n_pre * p.blocks, n_post = p.n_post;
    const double *w = p.in_force + window.k * n_pre * n_post;
    for (int64_t i = 0; i < n_pre; i++) {
        if (x[i] == 0.0) continue;
        double *to = q + i / p.n_pre * n_post;
        for (int64_t j = 0; j < n_post; j++) to[j] += x[i] * w[i * n_post + j];
    }
}

// Return the projections on which the membranes of a layer depend: those that learn, and others.
inline int64_t n_into(const Layer &layer) { return layer.n_projections + layer.n_fixed; }

// Return the number of presynaptic neurons of the widest of them.
inline int64_t widest_into(const Layer &layer)
{
    int64_t widest = 0;
    for (int64_t l = 0; l < n_into(layer); l++) {
        const int64_t size = layer.projections[l].n_pre * layer.projections[l].blocks;
        widest = size > widest ? size : widest;
    }
    return widest;
}

// Add what spikes do to neurons in step t: to each input, (input, neuron). x: room for all of a
// projection's presynaptic neurons.
inline void add_arriving(const Window &window, const Layer &layer, int64_t t, double *x, double *q)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    for (int64_t l = 0; l < n_into(layer); l++) {
        const Projection &into = layer.projections[l];
        if (current_of(window, into)) continue;
        transmitted(window, into, t, x);
        add_products(window, into, x, q + into.target * n);
    }
}

// Add what flows into neurons in every step, (neuron). Return the input that it enters.
inline int64_t add_currents(const Window &window, const Layer &layer, double *bias)
{
    int64_t biased = 0;
    for (int64_t l = 0; l < n_into(layer); l++) {
        const Projection &into = layer.projections[l];
        const double *current = current_of(window, into);
        if (!current) continue;
        add_products(window, into, current, bias);
        biased = into.target;
    }
    return biased;
}

// Compute, given the spikes, p(t) = sigmoid((left - right)/noise_width) of the threshold
// left > right, and to *after* the variable v after each step and its reset, (window, n) each; null
// is not computed.
inline void membranes(const Window &window, const Layer &layer, double *p, double *after)
{
    static thread_local Numbers buffer;
    static thread_local std::vector<int64_t> dead;
    static thread_local std::vector<uint8_t> is_open;
    const Equations &own = *layer.equations;
    const int64_t n = window.agent.nodes[layer.node].size;
    const int64_t n_state = own.n_variables * n, n_arrived = own.n_inputs * n;
    buffer.assign(n_state + n_arrived + 2 * n + widest_into(layer), 0.0);
    dead.assign(n, 0);
    is_open.resize(n);
    double *state = buffer.data(), *arrived = state + n_state, *bias = arrived + n_arrived;
    double *gap = bias + n, *x = gap + n;
    if (n_state) memcpy(state, own.initial, n_state * sizeof *state);
    double *biased = arrived + add_currents(window, layer, bias) * n;
    for (int64_t j = 0; own.bias && j < n; j++) bias[j] = own.bias[j] + bias[j];
    for (int64_t t = 0; t < window.agent.window; t++) {
        for (int64_t i = 0; i < n_arrived; i++) arrived[i] = 0.0;
        add_arriving(window, layer, t, x, arrived);
        for (int64_t j = 0; !own.bias && j < n; j++) biased[j] += bias[j];
        own.step(
            n, own.constants, arrived, bias, window.row(layer.node, t), own.refractory_steps,
            state, dead.data(), is_open.data(), gap);
        for (int64_t j = 0; p && j < n; j++) {
            const double open = 1.0 / (1.0 + exp(gap[j]));
            p[t * n + j] = is_open[j] ? open : 0.0;
        }
        if (after) memcpy(after + t * n, state + own.v * n, n * sizeof *after);
    }
}

}  // namespace neurorl
