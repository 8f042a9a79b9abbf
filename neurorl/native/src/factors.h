// The second factor of the rules, neurorl/factors.py and neurorl/membrane.py in C.
#ifndef NEURORL_FACTORS_H
#define NEURORL_FACTORS_H
#include "buffers.h"
#include "agent.h"
#include "elementary.h"

namespace neurorl {

// One replica of an agent in one window: rows of nodes as they were spiked and as they arrive.
struct Window {
    const Agent &agent;
    int64_t k;

    const uint8_t *row(int64_t node, int64_t t) const
    {
        const Node &n = agent.nodes[node];
        if (t >= 0) return n.raster + (t * agent.n_replicas + k) * n.size;
        return n.last + (k * n.depth + n.depth + t) * n.size;
    }
};

// What arrives in step t over a projection: 0, 1, or +-1 if it is signed. n: n_pre of all blocks.
inline void transmitted(const Window &window, const Projection &p, int64_t t, double *x)
{
    const int64_t n = p.n_pre * p.blocks;
    if (t < p.delay && !window.agent.carries) {
        for (int64_t i = 0; i < n; i++) x[i] = p.is_signed ? -1.0 : 0.0;
        return;
    }
    const uint8_t *spikes = window.row(p.pre, t - p.delay);
    if (p.is_signed)
        for (int64_t i = 0; i < n; i++) x[i] = spikes[i] ? 1.0 : -1.0;
    else
        for (int64_t i = 0; i < n; i++) x[i] = spikes[i] ? 1.0 : 0.0;
}

// p(t) = sigmoid((v(t) - threshold) / noise_width), shape (window, n), given what was spiked.
inline void spike_probability(const Window &window, const Layer &layer, double *p)
{
    static thread_local Numbers buffer;
    static thread_local std::vector<int64_t> dead;
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    int64_t widest = 0;
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const int64_t size = layer.projections[l].n_pre * layer.projections[l].blocks;
        widest = size > widest ? size : widest;
    }
    buffer.assign(3 * n + widest, 0.0);
    dead.assign(n, 0);
    double *u = buffer.data(), *v = u + n, *q = v + n, *x = q + n;
    for (int64_t t = 0; t < agent.window; t++) {
        for (int64_t j = 0; j < n; j++) q[j] = 0.0;
        for (int64_t l = 0; l < layer.n_projections; l++) {
            const Projection &into = layer.projections[l];
            const int64_t n_post = into.n_post;
            const double *w = into.in_force + window.k * into.blocks * into.n_pre * n_post;
            transmitted(window, into, t, x);
            for (int64_t i = 0; i < into.blocks * into.n_pre; i++) {
                if (x[i] == 0.0) continue;
                double *to = q + i / into.n_pre * n_post;
                for (int64_t j = 0; j < n_post; j++) to[j] += x[i] * w[i * n_post + j];
            }
        }
        const uint8_t *spikes = window.row(layer.node, t);
        for (int64_t j = 0; j < n; j++) {
            u[j] = layer.current_decay[j] * u[j] + q[j];
            v[j] = dead[j] > 0 ? 0.0 : layer.membrane_decay[j] * v[j] + u[j] + layer.bias[j];
            const double open = 1.0 / (1.0 + exp((layer.threshold[j] - v[j]) / layer.noise_width[j]));
            p[t * n + j] = dead[j] > 0 ? 0.0 : open;
            if (spikes[j]) {
                v[j] = 0.0;
                dead[j] = layer.refractory_steps[j];
            } else {
                dead[j] = dead[j] > 1 ? dead[j] - 1 : 0;
            }
        }
    }
}

// phi of the module of output j, actors in the outer order.
inline double feedback(const Agent &agent, int64_t k, int64_t j)
{
    const int64_t m = j % agent.n_actions;
    const double phi = -agent.probabilities[k * agent.n_actions + m];
    return m == agent.actions[k] ? phi + 1.0 : phi;
}

// spikes-only: the factor of neuron j is gain[j] in each of its spikes (from layer.first on).
inline void spikes_only(const Window &window, const Layer &layer, double *gain)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, counted = agent.window - layer.first;
    const int64_t per_module = layer.role == HIDDEN ? n / agent.n_output : 1;
    for (int64_t j = 0; j < n; j++) gain[j] = 0.0;
    for (int64_t t = layer.first; t < agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        for (int64_t j = 0; j < n; j++) gain[j] += spikes[j];
    }
    const double *signs = agent.signs + window.k * agent.n_hidden;
    for (int64_t first = 0; first < n; first += per_module) {
        const double phi = feedback(agent, window.k, first / per_module);
        for (int64_t j = first; j < first + per_module; j++) {
            const double own = layer.role == HIDDEN ? phi * signs[j] : phi;
            gain[j] = on_grid((1.0 - gain[j] / (double)counted) * own);
        }
    }
}

// centred-feedback: factors f of shape (window, n).
inline void centred_feedback(
    const Window &window, const Layer &layer, const Layer &output, double *f)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size;
    const int64_t per_module = layer.role == HIDDEN ? n / agent.n_output : 1;
    spike_probability(window, layer, f);
    for (int64_t t = 0; t < agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        const bool last = t == agent.window - 1;
        const uint8_t *answers = last ? nullptr : window.row(output.node, t + 1);
        for (int64_t j = 0; j < n; j++) {
            double &x = f[t * n + j];
            const double phi = feedback(agent, window.k, j / per_module);
            const double surprise = (double)spikes[j] - x;
            if (t < layer.first || (layer.role == HIDDEN && last))
                x = 0.0;
            else if (layer.role == OUTPUT)
                x = on_grid(2.0 * phi * __builtin_fabs(surprise));
            else
                x = on_grid(
                    2.0 * (phi * (2.0 * (double)answers[j / per_module] - 1.0)) * surprise);
        }
    }
}

}  // namespace neurorl

#endif
