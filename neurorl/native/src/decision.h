// Encode observations as input spikes, and choose actions from output spikes: models/agent/encoders.py
// and models/agent/policies.py in C.
#pragma once

#include "buffers.h"
#include "agent.h"
#include "elementary.h"
#include "expressions.h"
#include "features.h"
#include "philox.h"

namespace neurorl {

enum EncoderKernel { QUIET, BERNOULLI, CURRENT, ONCE };
struct Encoder {
    int64_t kernel;
    double peak;
};

enum PolicyKernel { SOFTMAX, ANNEALED_SOFTMAX, GREEDY, NORMAL, READOUT };
struct Policy {
    int64_t kernel, hold, repeats, repeats_decisions, beta_decisions, decisions, natural, explores;
    double first, beta, beta_end, exploration, sigma, sigma_end;
};

const int64_t STREAM_ACTION = 0x80000000, STREAM_ENCODER = 0x80000001;

inline double to_unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

// stride: distance of raster rows. first: number of the first cell among all that draw.
inline void quiet_spikes(
    const double *activation, int64_t first, int64_t n, int64_t seed, int64_t decision,
    int64_t window, uint8_t *raster, int64_t stride, double *phase, double *level)
{
    for (int64_t i = 0; i < n; i++)
        phase[i] = to_unit(neurorl_word(first + i, decision, STREAM_ENCODER, seed));
    for (int64_t i = 0; i < n; i++) level[i] = 0.0;
    for (int64_t t = 0; t < window; t++) {
        uint8_t *row = raster + t * stride;
        const double steps = (double)(t + 1);
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) {
            const double next = __builtin_floor(phase[i] + steps * activation[i]);
            row[i] = next > level[i];
            level[i] = next;
        }
    }
}

// Four steps of these draws come together: *words* has room for 4 n.
inline void bernoulli_spikes(
    const double *activation, int64_t first, int64_t n, int64_t seed, int64_t decision,
    int64_t window, uint8_t *raster, int64_t stride, uint32_t *words)
{
    for (int64_t t = 0; t < window; t++) {
        uint8_t *row = raster + t * stride;
        const int64_t step = decision * window + t;
        if (t == 0 || step % 4 == 0)
            neurorl_rows(first, n, step / 4, STREAM_ENCODER, seed, words);
        const uint32_t *drawn = words + step % 4 * n;
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) row[i] = to_unit(drawn[i]) < activation[i];
    }
}

// Certain cells need no draw.
inline void spike_once(
    const double *activation, int64_t first, int64_t n, int64_t seed, int64_t decision,
    int64_t window, uint8_t *raster, int64_t stride)
{
    for (int64_t t = 0; t < window; t++) memset(raster + t * stride, 0, n);
    for (int64_t i = 0; i < n; i++) {
        const double x = activation[i];
        if (x <= 0.0) continue;
        raster[i] = x >= 1.0
                    || to_unit(neurorl_word(first + i, decision, STREAM_ENCODER, seed)) < x;
    }
}

inline void constant_currents(const double *activation, int64_t n, double *current)
{
    for (int64_t i = 0; i < n; i++)
        current[i] = __builtin_rint(activation[i] * 0x1p8) * 0x1p-8;
}

// Write a source's spikes to *input*, or its activations to *current*, for n activations x, after
// which there is room for 2 n more numbers.
inline void encode_cells(
    const Agent &agent, int64_t k, double *x, int64_t n, int64_t first, uint8_t *input,
    double *current)
{
    static thread_local Words words;
    for (int64_t i = 0; i < n; i++) x[i] *= agent.encoder->peak;
    if (agent.encoder->kernel == CURRENT) {
        constant_currents(x, n, current + k * n);
        return;
    }
    uint8_t *raster = input + k * n;
    const int64_t stride = agent.n_replicas * n, decision = agent.decisions[k];
    const int64_t seed = agent.seeds[k], window = agent.window;
    if (agent.encoder->kernel == QUIET) {
        quiet_spikes(x, first, n, seed, decision, window, raster, stride, x + n, x + 2 * n);
    } else if (agent.encoder->kernel == ONCE) {
        spike_once(x, first, n, seed, decision, window, raster, stride);
    } else {
        words.resize(4 * n);
        bernoulli_spikes(x, first, n, seed, decision, window, raster, stride, words.data());
    }
}

// Encode the numbers of a map. Return false for observations that the map doesn't know.
inline bool encode_map(
    const Agent &agent, int64_t k, const Features &map, const double *in, int64_t first,
    uint8_t *input, double *current)
{
    static thread_local Numbers buffer;
    buffer.resize(3 * map.size);
    double *x = buffer.data();
    if (!features(map, in + k * map.n_inputs, x)) return false;
    encode_cells(agent, k, x, map.size, first, input, current);
    return true;
}

// Return whether the observation of replica k is made of finite numbers.
inline bool sees_numbers(const Agent &agent, int64_t k)
{
    const double *cells = agent.cells_input, *features = agent.features_input;
    const int64_t n = agent.cells.n_inputs, m = agent.features.n_inputs;
    return are_finite(cells + k * n, n)
           && (features == cells || are_finite(features + k * m, m));
}

// Return false if a map doesn't know the observation, or its numbers aren't finite.
inline bool encode(const Agent &agent, int64_t k)
{
    if (!sees_numbers(agent, k)) return false;
    if (!encode_map(agent, k, agent.cells, agent.cells_input, 0, agent.input, agent.current))
        return false;
    if (!agent.has_spiking_critic) return true;
    return encode_map(
        agent, k, agent.features, agent.features_input, agent.cells.size, agent.critic_input,
        agent.critic_current);
}

// The modules of one choice of a replica: *size* votes at p, which become probabilities.
struct Group {
    const Agent &agent;
    const int64_t k, number, size, first;
    double *const p, *const phi, *const t;

    Group(const Agent &agent, int64_t k, int64_t number, int64_t module, int64_t size)
        : agent(agent), k(k), number(number), size(size), first(k * agent.n_actions + module),
          p(agent.probabilities + first), phi(agent.phi + first), t(agent.t + first) {}
    bool allows(int64_t m) const { return !agent.has_masks || agent.allowed[first + m]; }
    double draw(int64_t n) const
    {
        const int64_t decision = agent.decisions[k], step = decision - decision % agent.policy->hold;
        return to_unit(neurorl_word(n, step, STREAM_ACTION, agent.seeds[k]));
    }
    double normal() const
    {
        const double u = draw(2 * number), v = draw(2 * number + 1);
        return __builtin_sqrt(-2.0 * neurorl_log(u)) * cospi(2.0 * v);
    }
};

// Return beta in replica k's decision.
inline double inverse_temperature(const Agent &agent, int64_t k)
{
    const Policy &policy = *agent.policy;
    if (policy.kernel != ANNEALED_SOFTMAX) return policy.beta;
    const double share = (double)agent.decisions[k] / (double)policy.beta_decisions;
    return policy.beta + (share < 1.0 ? share : 1.0) * (policy.beta_end - policy.beta);
}

// Compute the policy's probabilities of the votes for allowed alternatives, 0 for others.
inline void weigh(const Group &group)
{
    const Agent &agent = group.agent;
    double *p = group.p;
    const double beta = inverse_temperature(agent, group.k);
    double most = -__builtin_inf(), total = 0.0;
    int64_t n = 0;
    for (int64_t m = 0; m < group.size; m++) {
        if (!group.allows(m)) continue;
        most = p[m] > most ? p[m] : most;
        n++;
    }
    for (int64_t m = 0; m < group.size; m++) {
        if (!group.allows(m)) continue;
        p[m] = agent.policy->kernel == GREEDY ? (double)(p[m] == most) : exp(beta * (p[m] - most));
        total += p[m];
    }
    const double drawn = agent.policy->exploration, kept = 1.0 - drawn, shared = drawn / (double)n;
    for (int64_t m = 0; m < group.size; m++)
        p[m] = group.allows(m) ? kept * (p[m] / total) + shared : 0.0;
}

// Draw an alternative, and write what is broadcast to the modules of all.
inline int64_t choose_one(const Group &group)
{
    double *p = group.p, *phi = group.phi, *t = group.t, below = 0.0;
    weigh(group);
    const double u = group.draw(group.number);
    int64_t action = -1;
    bool is_over = false;
    for (int64_t m = 0; m < group.size; m++) {
        phi[m] = -p[m];
        t[m] = group.allows(m) ? -1.0 : 0.0;
        if (is_over || !group.allows(m)) continue;
        action = m;
        below += p[m];
        is_over = !(below < u);
    }
    phi[action] += 1.0;
    t[action] = 1.0;
    return action;
}

// Return sigma in replica k's decision.
inline double width(const Agent &agent, int64_t k)
{
    const Policy &policy = *agent.policy;
    const double share = (double)agent.decisions[k] / (double)policy.decisions;
    const double left = 1.0 - (share < 1.0 ? share : 1.0);
    return policy.sigma_end + left * (policy.sigma - policy.sigma_end);
}

// Return the factor of the feedback in replica k's decision.
inline double feedback(const Agent &agent, int64_t k)
{
    const Policy &policy = *agent.policy;
    return policy.natural && policy.sigma > 0.0 ? width(agent, k) / policy.sigma : 1.0;
}

inline double within_bounds(double number)
{
    return number < -1.0 ? -1.0 : number > 1.0 ? 1.0 : number;
}

// Choose a number: models/agent/gaussian_policy.py in C.
inline double choose_number(const Group &group)
{
    const int64_t size = group.size;
    double *p = group.p, *phi = group.phi, *t = group.t, total = 0.0, weighted = 0.0;
    const double last = (double)(size - 1);
    for (int64_t m = 0; m < size; m++) {
        const double centre = (2.0 * (double)m - last) / last;
        total += p[m];
        weighted += p[m] * centre;
    }
    const double mean = total > 0.0 ? weighted / total : 0.0;
    const double z = group.normal(), share = feedback(group.agent, group.k);
    for (int64_t m = 0; m < size; m++) {
        const double centre = (2.0 * (double)m - last) / last;
        p[m] = total > 0.0 ? p[m] / total : 1.0 / (double)size;
        phi[m] = z * (centre - mean) * share;
        t[m] = neurorl_sign(phi[m]);
    }
    return within_bounds(mean + width(group.agent, group.k) * z);
}

inline double width_of(const Agent &agent, double readout)
{
    return agent.policy->first * exp(readout > -3.0 ? (readout < 2.0 ? readout : 2.0) : -3.0);
}

// Choose a number by two readouts: models/agent/gaussian_policy.py in C.
inline double choose_by_readouts(const Group &group)
{
    double *p = group.p, *phi = group.phi, *t = group.t;
    const double z = group.agent.policy->explores ? group.normal() : 0.0;
    const double number = p[0] + width_of(group.agent, p[1]) * z;
    phi[0] = z;
    phi[1] = z * z - 1.0;
    for (int64_t m = 0; m < 2; m++) {
        p[m] = 1.0;
        t[m] = neurorl_sign(phi[m]);
    }
    return within_bounds(number);
}

// Return how often in a row replica k takes an action now: less often, the more it has decided.
inline int64_t repeats_now(const Agent &agent, int64_t k)
{
    const int64_t most = agent.policy->repeats, fall = agent.policy->repeats_decisions;
    const int64_t decision = agent.decisions[k];
    return fall == 0 ? most : most - (most - 1) * (decision < fall ? decision : fall) / fall;
}

// Return whether replica k takes its last actions again.
inline bool repeats(const Agent &agent, int64_t k)
{
    if (agent.policy->repeats == 1 || agent.decided[k] % repeats_now(agent, k) == 0) return false;
    if (!agent.has_masks) return true;
    int64_t first = 0;
    for (int64_t g = 0; g < agent.n_groups; g++) {
        const int64_t last = agent.actions[k * agent.n_groups + g];
        if (!agent.allowed[k * agent.n_actions + first + last]) return false;
        first += agent.groups[g];
    }
    return true;
}

// Make every choice of replica k by the votes that are in the place of its probabilities.
inline void choose_by_votes(const Agent &agent, int64_t k)
{
    const bool are_old = repeats(agent, k);
    int64_t first = 0;
    for (int64_t g = 0; g < agent.n_groups; g++) {
        const Group group(agent, k, g, first, agent.groups[g]);
        const int64_t at = k * agent.n_groups + g;
        if (agent.policy->kernel == READOUT) {
            agent.numbers[at] = choose_by_readouts(group);
        } else if (agent.policy->kernel == NORMAL) {
            agent.numbers[at] = choose_number(group);
        } else {
            const int64_t action = choose_one(group);
            if (!are_old) agent.actions[at] = action;
            for (int64_t m = 0; are_old && m < group.size; m++) group.phi[m] = group.t[m] = 0.0;
        }
        first += group.size;
    }
    agent.decided[k]++;
    agent.decisions[k]++;
}

// Count the votes of replica k, and make every choice.
inline void choose(const Agent &agent, int64_t k)
{
    const int64_t n = agent.n_actions;
    double *votes = agent.probabilities + k * n;
    for (int64_t m = 0; m < n; m++) votes[m] = 0.0;
    for (int64_t t = agent.first_vote; t < agent.window; t++) {
        const uint8_t *row = agent.output + (t * agent.n_replicas + k) * agent.n_output;
        for (int64_t j = 0; j < agent.n_output; j += n)
            for (int64_t m = 0; m < n; m++) votes[m] += row[j + m];
    }
    choose_by_votes(agent, k);
}

}  // namespace neurorl
