// The learning loop of replicas of one agent, as neurorl/loop.py has it in NumPy.
// What a function returns: -1, or the first replica whose observation no feature map knows.
#include "chip.h"
#include "critic.h"
#include "decision.h"
#include "rule.h"

namespace neurorl {

Terms terms;

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

static void learn_layer(
    const Window &window, const Layer &layer, const Layer *output, double delta, double rate)
{
    static thread_local Buffers buffers;
    static thread_local Post post;
    const Agent &agent = window.agent;
    find_factors(window, layer, output, post, buffers);
    int64_t all = 0;
    for (int64_t l = 0; l < layer.n_projections; l++)
        all += layer.projections[l].n_pre * layer.projections[l].blocks;
    buffers.pre.resize(all * agent.window);
    buffers.total.resize(all);
    double *x = buffers.pre.data(), driven = 0.0;
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const Projection &p = layer.projections[l];
        pre_trace(window, p, x);
        if (agent.normalises) driven += power(window, p, layer.first, x, buffers.total.data());
        x += p.n_pre * p.blocks * agent.window;
    }
    double eta = layer.alpha * rate;
    if (agent.normalises) {
        double &norm = layer.norm[window.k];
        norm = norm != norm ? driven : norm + agent.norm_rate * (driven - norm);
        eta = eta / (norm > 1.0 ? norm : 1.0);
    }
    x = buffers.pre.data();
    for (int64_t l = 0; l < layer.n_projections; l++) {
        const Projection &p = layer.projections[l];
        learn_projection(window, p, post, x, eta * delta, buffers);
        x += p.n_pre * p.blocks * agent.window;
    }
}

// Each hidden unit's weight to the output, of the plastic projection of modules; null without one.
static const double *output_weights(
    const Agent &agent, int64_t k, const Layer *output, std::vector<double> &buffer)
{
    const Layer *hidden = nullptr;
    for (int64_t l = 0; l < agent.n_layers; l++)
        if (agent.layers[l].role == HIDDEN) hidden = &agent.layers[l];
    if (!hidden || agent.rule != SURROGATE) return nullptr;
    for (int64_t l = 0; l < output->n_projections; l++) {
        const Projection &p = output->projections[l];
        if (p.pre != hidden->node || p.blocks != agent.n_output) continue;
        const double *from = p.in_force + k * agent.n_hidden;
        buffer.assign(from, from + agent.n_hidden);
        return buffer.data();
    }
    return nullptr;
}

static bool learn(const Agent &agent, int64_t k)
{
    static thread_local Numbers next;
    next.resize(agent.features.size);
    const double *in = agent.features_input + k * agent.features.n_inputs;
    if (agent.modulator == TD_ERROR && !features(agent.features, in, next.data())) return false;
    double delta = modulator(agent, k, next.data());
    const double most = agent.modulator_limit;
    delta = delta > most ? most : delta < -most ? -most : delta;
    static thread_local std::vector<double> buffer;
    const Layer *output = nullptr;
    for (int64_t l = 0; l < agent.n_layers; l++)
        if (agent.layers[l].role == OUTPUT) output = &agent.layers[l];
    const Window window = {agent, k, output_weights(agent, k, output, buffer)};
    for (int64_t l = 0; l < agent.n_layers; l++)
        learn_layer(window, agent.layers[l], output, delta, agent.rate[k]);
    if (agent.carries) keep_last(window);
    return true;
}

}  // namespace neurorl

using namespace neurorl;

extern "C" void neurorl_set_terms(const Terms *given) { terms = *given; }

extern "C" void neurorl_exp(const double *x, double *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = exp(x[i]);
}

extern "C" void neurorl_cospi(const double *x, double *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = cospi(x[i]);
}

extern "C" double neurorl_dot(const double *a, const double *b, int64_t n) { return dot(a, b, n); }

extern "C" int64_t neurorl_features(const Features *map, const double *in, double *out)
{
    return features(*map, in, out) ? -1 : 0;
}

extern "C" int64_t neurorl_begin(const Agent *agent, int64_t k)
{
    const Features &map = agent->features;
    if (agent->modulator != TD_ERROR) return -1;
    const bool known = features(map, agent->features_input + k * map.n_inputs, agent->x + k * map.size);
    return known ? -1 : k;
}

extern "C" int64_t neurorl_encode(const Agent *agent)
{
    for (int64_t k = 0; k < agent->n_replicas; k++)
        if (agent->active[k] && !encode(*agent, k)) return k;
    return -1;
}

extern "C" void neurorl_choose(const Agent *agent)
{
    for (int64_t k = 0; k < agent->n_replicas; k++) {
        if (!agent->active[k]) continue;
        agent->actions[k] = choose(*agent, k, agent->probabilities + k * agent->n_actions);
        agent->decisions[k]++;
    }
}

extern "C" int64_t neurorl_decide(const Agent *agent)
{
    const int64_t unknown = neurorl_encode(agent);
    if (unknown >= 0) return unknown;
    agent->run(!agent->carries, agent->window, agent->run_inputs, agent->run_rasters);
    neurorl_choose(agent);
    return -1;
}

extern "C" int64_t neurorl_learn(const Agent *agent)
{
    // There and back again, so that what the cache still holds is what comes next.
    static thread_local bool back = false;
    back = !back;
    const int64_t n = agent->n_replicas;
    for (int64_t m = 0; m < n; m++) {
        const int64_t k = back ? n - 1 - m : m;
        if (agent->active[k] && !learn(*agent, k)) return k;
    }
    return -1;
}

extern "C" void neurorl_chip_update(const Compartments *compartments) { update(*compartments); }

extern "C" void neurorl_chip_add_spiking(const BlockRows *blocks, int64_t count)
{
    for (int64_t k = 0; k < count; k++) add_spiking(blocks[k]);
}
