// The learning loop of replicas of one agent, as neurorl/learning/loops/numpy.py has it in NumPy.
// Functions return -1; or the first replica k whose observation no feature map knows or has numbers
// that aren't finite; or diverged(k) if its change of weights isn't finite.
// Replicas share nothing that is written, so each may have another thread.
#include "critic.h"
#include "decision.h"
#include "deep_learning.h"
#include "parallel.h"
#include "rule.h"

namespace neurorl {

double cos_terms[13];

inline int64_t diverged(int64_t k) { return -2 - k; }

// Calls act(k), which returns a fault, for each active replica, backwards if so said, in all threads
// of the agent. Returns a fault of the first range that has one, which stops there.
template <class Act> static int64_t each(const Agent &agent, const Act &act, bool back = false)
{
    static thread_local std::vector<int64_t> found;
    std::vector<int64_t> &faults = found;  // of this thread, for all
    faults.assign(agent.threads, -1);
    in_ranges(agent.threads, agent.n_replicas, [&](int64_t first, int64_t last, int64_t number) {
        for (int64_t m = first; m < last && faults[number] == -1; m++) {
            const int64_t k = back ? first + last - 1 - m : m;
            if (agent.active[k]) faults[number] = act(k);
        }
    });
    for (int64_t fault : faults)
        if (fault != -1) return fault;
    return -1;
}

// Do as `each` for what has no faults.
template <class Act> static void all(const Agent &agent, const Act &act)
{
    each(agent, [&](int64_t k) { return act(k), (int64_t)-1; });
}

static int64_t first_without_numbers(const Agent &agent)
{
    return each(agent, [&](int64_t k) { return sees_numbers(agent, k) ? -1 : k; });
}

static void keep_last(const Window &window)
{
    const Agent &agent = window.agent;
    for (int64_t m = 0; m < agent.n_nodes; m++) {
        const Node &node = agent.nodes[m];
        for (int64_t age = node.depth; age > 0; age--) {
            uint8_t *to = node.last + (window.k * node.depth + node.depth - age) * node.size;
            const int64_t t = agent.window - age;
            memmove(to, window.row(m, t), node.size);
        }
    }
}

template <class Number> static void clear(Number *array, int64_t k, int64_t n)
{
    if (array) memset(array + k * n, 0, n * sizeof *array);
}

// Forget all of replica k that doesn't outlive an episode, as Memory.forget does.
static void forget(const Agent &agent, int64_t k)
{
    for (int64_t l = 0; l < agent.n_layers; l++) {
        const Layer &layer = agent.layers[l];
        const int64_t size = agent.nodes[layer.node].size;
        clear(layer.post_trace, k, size);
        clear(layer.slow_trace, k, size);
        for (int64_t m = 0; m < layer.n_projections; m++) {
            const Projection &p = layer.projections[m];
            memset(p.trace + k * p.trace_size, 0, p.n_pre * p.blocks * sizeof *p.trace);
            clear(p.eligibility, k, p.n_synapses);
            clear(p.eligibility_32, k, p.n_synapses);
        }
    }
    for (int64_t m = 0; m < agent.n_nodes; m++) {
        const Node &node = agent.nodes[m];
        memset(node.last + k * node.depth * node.size, 0, node.depth * node.size);
    }
    if (!agent.has_spiking_critic) clear(agent.value_trace, k, agent.features.size);
    agent.expected[k] = __builtin_nan("");
}

// Return the factor of a layer's change of weights for the modulator delta.
static double step_of(const Agent &agent, const Layer &layer, int64_t k, double delta)
{
    if (layer.role != CRITIC) delta = clipped(agent, delta);
    double eta = layer.alpha * agent.rate[k];
    if (agent.normalises) eta = eta / (layer.norm[k] > 1.0 ? layer.norm[k] : 1.0);
    return eta * delta;
}

// Return whether a layer's weights can change by a factor, in units of these weights too.
static bool is_step(const Layer &layer, double factor)
{
    bool is_finite_in_all = is_finite(factor);
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const Projection &p = layer.projections[l];
        is_finite_in_all &= !p.is_fine || is_finite(in_units(p, factor));
    }
    return is_finite_in_all;
}

// is_late: delta belongs to the decision before, so weights change before this one is remembered.
// Return false if the change isn't finite; the weights then stay as they were.
static bool learn_layer(const Window &window, const Layer &layer, double delta, bool is_late)
{
    static thread_local Buffers buffers;
    static thread_local Post post;
    const Agent &agent = window.agent;
    if (!find_factors(window, layer, post, buffers)) return false;
    int64_t all = 0, widest = 0;
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const int64_t n = layer.projections[l].n_pre * layer.projections[l].blocks;
        if (!has_running_trace(window, layer.projections[l], post)) all += n;
        widest = n > widest ? n : widest;
    }
    buffers.pre.resize(all * agent.window);
    buffers.total.resize(widest);
    double *x = buffers.pre.data(), driven = 0.0;
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const Projection &p = layer.projections[l];
        if (has_running_trace(window, p, post)) continue;
        pre_trace(window, p, x);
        if (agent.normalises) driven += power(window, p, layer.first, x, buffers.total.data());
        x += p.n_pre * p.blocks * agent.window;
    }
    Change change = {layer.keep, 0.0, is_late, false};
    if (is_late) change.factor = step_of(agent, layer, window.k, delta);
    if (agent.normalises) {
        double &norm = layer.norm[window.k];
        norm = norm != norm ? driven : norm + agent.norm_rate * (driven - norm);
    }
    if (!is_late) change.factor = step_of(agent, layer, window.k, delta);
    if (!is_step(layer, change.factor)) return false;
    x = buffers.pre.data();
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const Projection &p = layer.projections[l];
        const bool runs = has_running_trace(window, p, post);
        learn_projection(window, p, post, runs ? nullptr : x, change, buffers);
        if (!runs) x += p.n_pre * p.blocks * agent.window;
    }
    return true;
}

// Return the plastic projection of modules from a hidden layer to the one above it.
static const Projection &onward(const Agent &agent, int64_t l)
{
    const Layer &above = agent.layers[l - 1];
    const Projection *p = above.projections;
    while (p->pre != agent.layers[l].node || p->blocks != agent.n_output) p++;
    return *p;
}

static bool names_paths(const Agent &agent)
{
    bool names = false;
    for (int64_t l = 0; l < agent.n_layers; l++) names |= agent.layers[l].text->used & USED_V;
    return names;
}

// Compute the path weight of each hidden unit, as path_weights of neurorl/network/modules.py does.
static const Numbers *path_weights(const Agent &agent, int64_t k)
{
    static thread_local std::vector<Numbers> paths;
    if (!names_paths(agent)) return nullptr;
    paths.resize(agent.n_layers);
    paths[0].assign(agent.n_output, 1.0);
    for (int64_t l = 1; l < agent.n_layers && agent.layers[l].role == HIDDEN; l++) {
        const Projection &p = onward(agent, l);
        const int64_t n = p.n_pre * p.blocks, n_post = p.n_post;
        const double *w = p.in_force + k * n * n_post;
        paths[l].assign(n, 0.0);
        for (int64_t i = 0; i < n; i++) {
            const double *ahead = paths[l - 1].data() + i / p.n_pre * n_post;
            for (int64_t j = 0; j < n_post; j++) paths[l][i] += w[i * n_post + j] * ahead[j];
        }
    }
    return paths.data();
}

static void begin_window(const Window &window)
{
    window.listed->resize(window.agent.n_nodes);
    for (NodeSpikes &spikes : *window.listed) spikes.is_made = false;
}

// Return false if the change of weights isn't finite, as delta may be.
static bool learn_layers(const Agent &agent, int64_t k, double delta, bool is_late)
{
    if (!is_finite(delta)) return false;
    static thread_local std::vector<NodeSpikes> listed;
    const Window window = {agent, k, path_weights(agent, k), clipped(agent, delta), &listed};
    begin_window(window);
    for (int64_t l = 0; l < agent.n_layers; l++)
        if (!learn_layer(window, agent.layers[l], delta, is_late)) return false;
    if (agent.carries) keep_last(window);
    return true;
}

// Learn, with a spiking critic, from what its window says of the decision before.
static int64_t learn_late(const Agent &agent, int64_t k)
{
    const Layer *critic = agent.layers;
    while (critic->role != CRITIC) critic++;
    const double value = spiking_value({agent, k, nullptr, 0.0, nullptr}, *critic);
    double &expected = agent.expected[k], delta = 0.0;
    if (expected == expected) delta = agent.reward[k] + agent.discount[k] * value - expected;
    if (!learn_layers(agent, k, delta, true)) return diverged(k);
    expected = value;
    return -1;
}

// Learn, with a spiking critic, from a terminal state: it is worth 0 without a window.
static int64_t learn_end(const Agent &agent, int64_t k)
{
    static thread_local Buffers buffers;
    double &expected = agent.expected[k];
    if (agent.discount[k] != 0.0 || expected != expected) return -1;
    const double delta = agent.reward[k] + 0.0 - expected;
    for (int64_t l = 0; l < agent.n_layers; l++) {
        const Layer &layer = agent.layers[l];
        const double factor = step_of(agent, layer, k, delta);
        if (!is_step(layer, factor)) return diverged(k);
        for (int64_t m = 0; m < layer.n_projections; m++)
            apply_remembered(agent, k, layer.projections[m], factor, buffers);
    }
    expected = __builtin_nan("");
    return -1;
}

static int64_t learn(const Agent &agent, int64_t k)
{
    if (agent.has_spiking_critic) return learn_end(agent, k);
    static thread_local Numbers next;
    next.resize(agent.features.size);
    const double *in = agent.features_input + k * agent.features.n_inputs;
    if (agent.modulator->kernel == TD_ERROR && !features(agent.features, in, next.data())) return k;
    return learn_layers(agent, k, modulator(agent, k, next.data()), false) ? -1 : diverged(k);
}

}  // namespace neurorl

using namespace neurorl;

extern "C" void neurorl_set_cos_terms(const double *terms)
{
    memcpy(cos_terms, terms, sizeof cos_terms);
}

extern "C" int neurorl_features(const Features *map, const double *in, double *out)
{
    return features(*map, in, out) ? -1 : 0;
}

extern "C" int neurorl_begin(const Agent *agent, int64_t k)
{
    const Features &map = agent->features;
    forget(*agent, k);
    if (!sees_numbers(*agent, k)) return k;
    if (agent->modulator->kernel != TD_ERROR || agent->has_spiking_critic) return -1;
    const bool known = features(map, agent->features_input + k * map.n_inputs, agent->x + k * map.size);
    return known ? -1 : k;
}

extern "C" int neurorl_encode(const Agent *agent)
{
    return each(*agent, [&](int64_t k) { return encode(*agent, k) ? -1 : k; });
}

extern "C" void neurorl_choose(const Agent *agent)
{
    all(*agent, [&](int64_t k) { choose(*agent, k); });
}

extern "C" int neurorl_decide(const Agent *agent)
{
    const int64_t unknown = neurorl_encode(agent);
    if (unknown >= 0) return unknown;
    agent->run(!agent->carries, agent->window, agent->run_inputs, agent->run_rasters);
    neurorl_choose(agent);
    return -1;
}

extern "C" int neurorl_learn(const Agent *agent)
{
    // Alternate the direction, so that the next replicas are those still in the cache.
    static thread_local bool back = false;
    back = !back;
    const int64_t odd = first_without_numbers(*agent);  // before any of them learns
    if (odd != -1) return odd;
    return each(*agent, [&](int64_t k) { return learn(*agent, k); }, back);
}

// Let eligibilities take a window in whose post factors are given, of all replicas.
extern "C" void neurorl_remember(const Agent *agent)
{
    static thread_local std::vector<NodeSpikes> listed;
    for (int64_t k = 0; k < agent->n_replicas; k++) {
        const Window window = {*agent, k, nullptr, 0.0, &listed};
        begin_window(window);
        for (int64_t l = 0; l < agent->n_layers; l++) learn_layer(window, agent->layers[l], 0.0, false);
    }
}

// Change n weights on whole levels where they are, see neurorl.learning.levels.
extern "C" void neurorl_reinforce(
    int64_t n, double *__restrict weights, const float *__restrict e, float factor, double unit,
    double least, double largest)
{
    const double inverse = 1.0 / unit;
    for (int64_t s = 0; s < n; s++) {
        double level = weights[s] * inverse + __builtin_rintf(limited(factor * e[s]));
        level = level < least ? least : level;
        weights[s] = (level > largest ? largest : level) * unit;
    }
}

extern "C" int neurorl_learn_late(const Agent *agent)
{
    return each(*agent, [&](int64_t k) { return learn_late(*agent, k); });
}

// Encode what active replicas see, and set the biases of their hidden layers: see src/deep.h.
extern "C" int neurorl_deep_encode(const Deep *deep)
{
    return each(*deep->agent, [&](int64_t k) { return prepare(*deep, k) ? -1 : k; });
}

extern "C" void neurorl_deep_choose(const Deep *deep)
{
    all(*deep->agent, [&](int64_t k) { conclude(*deep, k); });
}

extern "C" int neurorl_deep_learn_late(const Deep *deep)
{
    const Agent &agent = *deep->agent;
    return each(agent, [&](int64_t k) {
        const bool knows_before = deep->before[k] == deep->before[k];
        if (knows_before && !learn_from(*deep, k, agent.discount[k] * deep->value[k]))
            return diverged(k);
        note(*deep, k);
        return (int64_t)-1;
    });
}

// Bring all weights of some replicas that learned in force, and the simulator's copies of shared ones.
extern "C" void neurorl_deep_refresh(const Deep *deep, int64_t first, int64_t last)
{
    for (int64_t h = 0; h < deep->n_halves; h++)
        for (int64_t l = 0; l < deep->halves[h].n_layers; l++)
            for (int64_t k = first; k < last; k++) {
                const DeepLayer &layer = deep->halves[h].layers[l];
                if (layer.patches) refresh_copies(layer, k, nullptr);
                transmit_rows(layer.below, k, nullptr);
            }
}

// Decide, and learn from the decision before, in agents that learn.
extern "C" int neurorl_deep_decide(const Deep *deep)
{
    const Agent &agent = *deep->agent;
    const int64_t unknown = neurorl_deep_encode(deep);
    if (unknown >= 0) return unknown;
    agent.run(1, agent.window, agent.run_inputs, agent.run_rasters);
    neurorl_deep_choose(deep);
    return deep->learns ? neurorl_deep_learn_late(deep) : -1;
}

extern "C" int neurorl_deep_learn(const Deep *deep)
{
    const Agent &agent = *deep->agent;
    const int64_t odd = first_without_numbers(agent);
    if (odd != -1) return odd;
    return each(agent, [&](int64_t k) {
        if (!hear_reward(*deep, k)) return diverged(k);
        if (agent.discount[k] != 0.0 || deep->before[k] != deep->before[k]) return (int64_t)-1;
        if (!learn_from(*deep, k, 0.0)) return diverged(k);
        deep->before[k] = __builtin_nan("");
        return (int64_t)-1;
    });
}
