// Post factors of rules that users write: neurorl/rules/post_factor.py in C.
#ifndef NEURORL_TEXT_H
#define NEURORL_TEXT_H
#include "factors.h"

namespace neurorl {

enum RuleName { NEURORL_RULE_NAMES(NEURORL_ENUMERATOR) };

// The text of a layer's post factors, and the steps that count for it.
struct Wording {
    const Text &text;
    int64_t begin, end;

    static Wording of(const Agent &agent, const Layer &layer)
    {
        const bool cut = agent.drops_late && layer.role == HIDDEN;
        const int64_t end = cut ? agent.window - layer.lag : agent.window;
        const int64_t begin = agent.pairs_spikes ? 0 : layer.first;
        return {layer.role == OUTPUT ? agent.output_text : agent.hidden_text, begin, end};
    }

    bool uses(RuleName name) const { return text.names >> name & 1; }
    bool counts(int64_t t) const { return begin <= t && t < end; }
};

// Write for all neurons the number of their spikes from step *begin* on.
inline void count_spikes(const Window &window, const Layer &layer, int64_t begin, double *count)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    for (int64_t j = 0; j < n; j++) count[j] = 0.0;
    for (int64_t t = begin; t < window.agent.window; t++) {
        const uint8_t *spikes = window.row(layer.node, t);
        for (int64_t j = 0; j < n; j++) count[j] += spikes[j];
    }
}

// Write what is broadcast to the module of each neuron: phi, and +-1 for the action taken.
inline void broadcasts(const Window &window, const Layer &layer, double *phi, double *taken)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, size = per_module(agent, layer);
    const bool in_modules = layer.role == OUTPUT || (layer.role == HIDDEN && layer.signs);
    for (int64_t first = 0; first < n; first += size) {
        const int64_t module = first / size;
        const double told = in_modules ? feedback(agent, window.k, module) : 1.0;
        const double sign = in_modules ? neurorl::taken(agent, window.k, module) : 1.0;
        for (int64_t j = first; j < first + size; j++) phi[j] = told, taken[j] = sign;
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

// Write p, v or both, as the text uses them.
inline void membranes(
    const Window &window, const Layer &layer, const Wording &wording, double *p, double *v)
{
    const bool has_p = wording.uses(NAME_P), has_v = wording.uses(NAME_MEMBRANE);
    if (has_p && has_v)
        spike_probability<true, true>(window, layer, p, v);
    else if (has_p)
        spike_probability<true, false>(window, layer, p);
    else if (has_v)
        spike_probability<false, true>(window, layer, nullptr, v);
}

// Compute what a layer's text says: (window, n), 0 in steps that don't count; or (n,) if it is a gain.
inline void compute_text(const Window &window, const Layer &layer, const Wording &wording, double *f)
{
    static thread_local Numbers per_neuron, per_step;
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[layer.node].size, cells = n * agent.window;
    per_neuron.resize(4 * n);
    per_step.resize(4 * cells);
    double *phi = per_neuron.data(), *taken = phi + n, *count = taken + n, *ones = count + n;
    double *p = per_step.data(), *y = p + cells, *v = y + cells, *slow = v + cells;
    for (int64_t j = 0; j < n; j++) ones[j] = 1.0;
    if (wording.uses(NAME_PHI) || wording.uses(NAME_T)) broadcasts(window, layer, phi, taken);
    if (wording.uses(NAME_N)) count_spikes(window, layer, wording.begin, count);
    if (wording.uses(NAME_SLOW)) slow_traces(window, layer, slow);
    membranes(window, layer, wording, p, v);
    if (wording.uses(NAME_Y)) answers(window, layer, y);
    const bool in_modules = layer.role == HIDDEN && layer.signs;
    const bool has_path = in_modules && wording.uses(NAME_V);
    const double *path = has_path ? window.paths[&layer - agent.layers].data() : ones;
    const double *sign = in_modules ? layer.signs + window.k * n : ones;
    const double counted = (double)(agent.window - wording.begin);
    const Names names = {
        n, agent.window, agent.n_replicas * n, window.row(layer.node, 0),
        p, y, v, slow, phi, taken, sign, path, count, layer.threshold, counted, window.modulator};
    wording.text.compute(&names, f);
    if (wording.text.is_gain) return;
    for (int64_t t = 0; t < agent.window; t++)
        if (!wording.counts(t)) memset(f + t * n, 0, n * sizeof *f);
}

// Take a gain that isn't finite, or beyond the largest factor, for 0 where no spike counts. Return
// false where one does.
inline bool repair_gain(const Window &window, const Layer &layer, const Wording &wording, double *gain)
{
    const int64_t n = window.agent.nodes[layer.node].size;
    if (are_factors(gain, n)) return true;
    for (int64_t j = 0; j < n; j++) {
        if (are_factors(gain + j, 1)) continue;
        for (int64_t t = wording.begin; t < wording.end; t++)
            if (window.row(layer.node, t)[j]) return false;
        gain[j] = 0.0;
    }
    return true;
}

}  // namespace neurorl

#endif
