// Decide by hidden layers that serve all actions: what goes before and after a window, the same
// operations in the same order as in neurorl/learning/deep/loop.py.
#pragma once

#include "buffers.h"
#include "decision.h"
#include "deep.h"
#include "elementary.h"
#include "expressions.h"

namespace neurorl {

// Take what replica k sees into the running statistics of observations.
inline void hear_observation(const Deep &deep, int64_t k, const double *seen)
{
    const int64_t n = deep.n_seen;
    double *mean = deep.seen_mean + k * n, *square = deep.seen_square + k * n;
    if (deep.learns) {
        if (deep.observations->kernel == STANDARDISED) {
            const double count = (double)deep.seen_count[k] + 1.0;
            for (int64_t i = 0; i < n; i++) {
                const double off = seen[i] - mean[i];
                mean[i] += off / count;
                square[i] += off * (seen[i] - mean[i]);
            }
        }
        deep.seen_count[k]++;
    }
}

inline double least(double x, double y) { return x < y ? x : y; }

inline double at_least_0(double x) { return x > 0.0 ? x : 0.0; }

inline void activations(const Deep &deep, int64_t k, const double *seen, double *out)
{
    const int64_t n = deep.n_seen;
    if (deep.observations->kernel == AS_SEEN) {
        for (int64_t i = 0; i < n; i++) out[i] = least(at_least_0(seen[i]), 1.0);
        return;
    }
    const double *mean = deep.seen_mean + k * n, *square = deep.seen_square + k * n;
    const double count = (double)deep.seen_count[k], limit = deep.observations->limit;
    const double floor = deep.observations->floor;
    for (int64_t i = 0; i < n; i++) {
        const double variance = count > 1.0 ? square[i] / (count - 1.0) : 1.0;
        const double z = (seen[i] - mean[i]) / __builtin_sqrt(variance + floor);
        out[i] = least(at_least_0(z) / limit, 1.0);
        out[n + i] = least(at_least_0(-z) / limit, 1.0);
    }
}

// Encode what replica k sees, and note what enters. Return false for an unknown observation.
inline bool enter(const Deep &deep, int64_t k)
{
    static thread_local Numbers buffer;
    const Agent &agent = *deep.agent;
    const int64_t n = deep.n_channels;
    buffer.resize(deep.n_seen + 3 * n);
    double *seen = buffer.data(), *x = seen + deep.n_seen;
    if (!features(agent.cells, agent.cells_input + k * agent.cells.n_inputs, seen)) return false;
    hear_observation(deep, k, seen);
    activations(deep, k, seen, x);
    encode_cells(agent, k, x, n, 0, agent.input, agent.current);
    double *input = deep.input + k * n;
    if (agent.encoder->kernel == CURRENT)
        memcpy(input, agent.current + k * n, n * sizeof *input);
    else
        for (int64_t i = 0; i < n; i++) input[i] = agent.input[k * n + i];
    return true;
}

inline void arrive_in_patches(
    const DeepPatches &patches, const double *weights, const double *bias, const double *x,
    double *__restrict arrived)
{
    const int64_t n = patches.filters;
    for (int64_t p = 0; p < patches.positions; p++)
        for (int64_t i = 0; i < n; i++) arrived[p * n + i] = bias[i];
    for (int64_t input = 0; input < patches.n_inputs; input++) {
        if (x[input] == 0.0) continue;
        for (int64_t b = patches.start[input]; b < patches.start[input + 1]; b++) {
            double *own = arrived + patches.positions_of[b] * n;
            const double *row = weights + patches.rows[b] * n;
            for (int64_t i = 0; i < n; i++) own[i] += x[input] * row[i];
        }
    }
}

// Bring n weights from number *at* on in force.
inline void transmit(const DeepSynapses &s, int64_t at, int64_t n)
{
    const float *__restrict w = s.weights + at;
    double *__restrict sent = s.sent + at;
    const double inverse = s.inverse, unit = s.transmitted_unit, most = s.limit;
    if (most < __builtin_inf())
        for (int64_t i = 0; i < n; i++) {
            double level = __builtin_rint((double)w[i] * inverse);
            level = level > -most ? level : -most;
            sent[i] = (level < most ? level : most) * unit;
        }
    else
        for (int64_t i = 0; i < n; i++) sent[i] = __builtin_rint((double)w[i] * inverse) * unit;
    if (s.sent_integers)
        for (int64_t i = 0; i < n; i++) s.sent_integers[at + i] = (int32_t)sent[i];
}

// Bring those rows of replica k in force that have learned since and speak now, or all where x is null.
inline void transmit_rows(const DeepSynapses &s, int64_t k, const double *x)
{
    if (!s.stale) return;
    uint8_t *stale = s.stale + k * s.n_pre;
    for (int64_t j = 0; j < s.n_pre; j++) {
        if (!stale[j] || (x && x[j] == 0.0)) continue;
        transmit(s, (k * s.n_pre + j) * s.n_post, s.n_post);
        stale[j] = 0;
    }
}

template <class Number>
inline void copy_row(const double *from, int64_t n, Number *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = (Number)from[i];
}

// Let the simulator's copies of shared weights, if there are any, be those that learned: of the synapses
// of inputs that speak, or of all where x is null.
template <class Number>
inline void refresh(
    const DeepLayer &layer, int64_t k, const double *x, Number *copies, Number *bias_copies)
{
    const DeepPatches &patches = *layer.patches;
    const int64_t n = patches.filters;
    const double *weights = layer.below.sent + k * layer.below.n_pre * n;
    for (int64_t j = 0; copies && j < patches.n_inputs; j++) {
        if (x && x[j] == 0.0) continue;
        for (int64_t b = patches.start[j]; b < patches.start[j + 1]; b++)
            copy_row(weights + patches.rows[b] * n, n, copies + k * patches.n_synapses + b * n);
    }
    for (int64_t p = 0; bias_copies && p < patches.positions; p++)
        copy_row(layer.bias.sent + k * n, n, bias_copies + k * layer.size + p * n);
}

inline void refresh_copies(const DeepLayer &layer, int64_t k, const double *x)
{
    refresh(layer, k, x, layer.below.copies, layer.bias.copies);
    refresh(layer, k, x, layer.below.copied_integers, layer.bias.copied_integers);
}

// Add what arrives at a layer's neurons, as it is transmitted: exact, so that the order is free.
inline void arrive(const DeepLayer &layer, int64_t k, const double *x, double *arrived)
{
    const int64_t n = layer.below.n_post, n_pre = layer.below.n_pre;
    const double *first = layer.below.sent + k * n_pre * n, *bias = layer.bias.sent + k * n;
    if (layer.patches) {
        arrive_in_patches(*layer.patches, first, bias, x, arrived);
        return;
    }
    double *__restrict sum = arrived, a[4];
    const double *row[4];
    int64_t held = 0;
    for (int64_t i = 0; i < n; i++) sum[i] = bias[i];
    for (int64_t j = 0; j < n_pre; j++) {
        if (x[j] == 0.0) continue;
        a[held] = x[j];
        row[held++] = first + j * n;
        if (held < 4) continue;
        held = 0;
        for (int64_t i = 0; i < n; i++)
            sum[i] += (a[0] * row[0][i] + a[1] * row[1][i]) + (a[2] * row[2][i] + a[3] * row[3][i]);
    }
    for (int64_t m = 0; m < held; m++)
        for (int64_t i = 0; i < n; i++) sum[i] += a[m] * row[m][i];
}

template <class Number> inline Number mean_of(const Number *x, int64_t n)
{
    Number total = x[0];
    for (int64_t i = 1; i < n; i++) total += x[i];
    return total / (Number)n;
}

// Compute the biases that offsets and what flows in make, of which one may be null, in a chip's
// integers as bias_integers of neurorl/arithmetic/quantiser.py does.
inline void biases_of(
    const DeepLayer &layer, int64_t n, const double *offset, const double *flow,
    double *__restrict bias)
{
    if (layer.bias_unit == 0.0) {
        for (int64_t i = 0; i < n; i++) bias[i] = (flow ? flow[i] : 0.0) + (offset ? offset[i] : 0.0);
        return;
    }
    const double unit = layer.bias_unit, own = layer.own_bias;
    for (int64_t i = 0; i < n; i++) {
        const double added = (flow ? flow[i] : 0.0) + (offset ? offset[i] * unit : 0.0);
        const double value = own + added, magnitude = __builtin_fabs(value);
        double step = 1.0, inverse = 1.0, share = 1.0;
        for (int e = 0; e < 7; e++, share *= 0.5) {
            const bool is_large = __builtin_rint(magnitude * share) > 4095.0;
            step = is_large ? 2.0 * step : step;
            inverse = is_large ? 0.5 * inverse : inverse;
        }
        double level = __builtin_rint(value * inverse);
        level = level < 4095.0 ? level : 4095.0;
        bias[i] = (level > -4095.0 ? level : -4095.0) * step;
    }
}

// Compute shift and scale of a layer, and the biases that its neurons get.
inline void normal(
    const Deep &deep, const DeepLayer &layer, int64_t k, const double *arrived, double *bias)
{
    static thread_local Numbers buffer;
    const int64_t n = layer.size;
    double *shift = layer.shift + k * n, *scale = layer.scale + k * n;
    const double floor = deep.normalisation->floor;
    if (deep.normalisation->kernel == HOMEOSTASIS) {
        const double *mean = layer.mean + k * n, *variance = layer.variance + k * n;
        for (int64_t i = 0; i < n; i++) shift[i] = mean[i];
        for (int64_t i = 0; i < n; i++) scale[i] = __builtin_sqrt(variance[i] + floor);
    } else if (deep.normalisation->kernel == POOL) {
        buffer.resize(2 * n);
        double *drive = buffer.data(), *square = drive + n;
        const double *mean = layer.mean + k * n;
        for (int64_t i = 0; i < n; i++) drive[i] = arrived[i] * layer.unit - mean[i];
        const double middle = mean_of(drive, n);
        for (int64_t i = 0; i < n; i++) square[i] = (drive[i] - middle) * (drive[i] - middle);
        const double width = __builtin_sqrt(mean_of(square, n) + floor);
        for (int64_t i = 0; i < n; i++) shift[i] = mean[i] + middle;
        for (int64_t i = 0; i < n; i++) scale[i] = width;
    } else {
        for (int64_t i = 0; i < n; i++) shift[i] = 0.0;
        for (int64_t i = 0; i < n; i++) scale[i] = 1.0;
    }
    double *offset = layer.offset + k * n;
    for (int64_t i = 0; i < n; i++)
        offset[i] = __builtin_rint((1.0 - shift[i] - scale[i]) * 0x1p20) * 0x1p-20;
    biases_of(layer, n, offset, nullptr, bias);
    if (layer.simulator_bias) memcpy(layer.simulator_bias + k * n, bias, n * sizeof *bias);
}

// Let currents flow into a layer's biases: all that *arrived*, else what its synapses from the bias
// transmit.
inline void let_flow(const DeepLayer &layer, int64_t k, const double *arrived)
{
    const double *flow = arrived ? arrived : layer.bias.sent + k * layer.size;
    const double *offset = layer.offset ? layer.offset + k * layer.size : nullptr;
    biases_of(layer, layer.size, offset, flow, layer.simulator_bias + k * layer.size);
}

// Prepare the window of replica k.
inline bool prepare(const Deep &deep, int64_t k)
{
    static thread_local Numbers buffer;
    if (!sees_numbers(*deep.agent, k) || !enter(deep, k)) return false;
    const bool reads_drive = deep.normalisation->kernel == POOL, flows = deep.writes_flows;
    for (int64_t h = 0; h < deep.n_halves; h++) {
        const double *x = deep.input + k * deep.n_channels;
        for (int64_t l = 0; l + 1 < deep.halves[h].n_layers; l++) {
            const DeepLayer &layer = deep.halves[h].layers[l];
            const int64_t n = layer.size;
            buffer.resize(3 * (deep.n_hidden + 1));
            double *bias = buffer.data(), *arrived = bias + (1 + l % 2) * deep.n_hidden;
            if (layer.patches) refresh_copies(layer, k, x);
            transmit_rows(layer.below, k, x);
            if (reads_drive || (flows && l == 0)) arrive(layer, k, x, arrived);
            normal(deep, layer, k, arrived, bias);
            if (flows) let_flow(layer, k, l == 0 ? arrived : nullptr);
            if (deep.knows_arrived) memcpy(layer.arrived + k * n, arrived, n * sizeof *arrived);
            if (reads_drive) {
                for (int64_t i = 0; i < n; i++)
                    arrived[i] = arrived[i] + bias[i] > layer.threshold ? 1.0 : 0.0;
                x = arrived;
            }
        }
        const DeepLayer &readout = deep.halves[h].layers[deep.halves[h].n_layers - 1];
        transmit_rows(readout.below, k, x);
        const bool is_first = deep.halves[h].n_layers == 1;
        buffer.resize(3 * (deep.n_hidden + readout.size));
        if (flows && is_first) arrive(readout, k, x, buffer.data());
        if (flows) let_flow(readout, k, is_first ? buffer.data() : nullptr);
    }
    return true;
}

// Take a layer's drives into their running means, which neurons that share weights share.
inline void hear_means(const DeepLayer &layer, const double *drive, double rate, double *mean)
{
    static thread_local Numbers buffer;
    const int64_t m = layer.patches ? layer.patches->filters : layer.size;
    buffer.assign(drive, drive + m);
    double *sum = buffer.data();
    for (int64_t i = m; i < layer.size; i += m)
        for (int64_t f = 0; f < m; f++) sum[f] += drive[i + f];
    const double positions = (double)(layer.size / m);
    for (int64_t i = 0; i < layer.size; i += m)
        for (int64_t f = 0; f < m; f++) mean[i + f] += rate * (sum[f] / positions - mean[i + f]);
}

// Take a hidden layer's drives into its statistics, and note u, psi and 1 / scale.
inline void hear_drive(const Deep &deep, const DeepLayer &layer, int64_t k, const double *drive)
{
    const int64_t n = layer.size;
    const double steepness = deep.slope, *shift = layer.shift + k * n, *scale = layer.scale + k * n;
    float *u = layer.new_u + k * n, *slope = layer.new_slope + k * n;
    float *inverse = layer.new_inverse + k * n;
    for (int64_t i = 0; i < n; i++) {
        const double normal = (drive[i] - shift[i]) / scale[i];
        const double p = neurorl_sigmoid(steepness * (normal - 1.0));
        u[i] = (float)normal;
        slope[i] = (float)((steepness * p) * (1.0 - p));
        inverse[i] = (float)(1.0 / scale[i]);
    }
    const int64_t kernel = deep.normalisation->kernel;
    const double first = 1.0 / ((double)deep.learned[k] + 2.0), usual = deep.normalisation->rate;
    if (!deep.learns || kernel == NONE || (kernel == POOL && usual == 0.0)) return;
    const double rate = usual > first ? usual : first;
    double *mean = layer.mean + k * n, *variance = layer.variance + k * n;
    if (kernel == POOL) {
        hear_means(layer, drive, rate, mean);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        mean[i] += rate * (drive[i] - mean[i]);
        const double deviation = drive[i] - mean[i];
        variance[i] += rate * (deviation * deviation - variance[i]);
    }
}

inline void entropy_pull(const double *p, int64_t n, double factor, float *pull)
{
    static thread_local Numbers logs;
    logs.resize(n);
    double total = 0.0;
    for (int64_t m = 0; m < n; m++) {
        logs[m] = p[m] > 0.0 ? neurorl_log(p[m] > 1e-300 ? p[m] : 1e-300) : 0.0;
        total = m ? total + p[m] * logs[m] : p[m] * logs[m];
    }
    const double entropy = -total;
    for (int64_t m = 0; m < n; m++) pull[m] = (float)(factor * (-p[m] * (logs[m] + entropy)));
}

// The entropy of a normal distribution grows with the logarithm of its width, and a mean comes back from
// where hardly a draw is in range: models/agent/gaussian_policy.py in C.
inline void pull_of_readouts(const Agent &agent, const double *readouts, double factor, float *pull)
{
    const double far = 1.0 + 2.0 * width_of(agent, readouts[1]), mean = readouts[0];
    const double least = mean > -far ? mean : -far;
    pull[0] = (float)((least < far ? least : far) - mean);
    pull[1] = (float)factor;
}

// Read replica k's window: value, preferences, and all that its layers will learn from; choose.
inline void conclude(const Deep &deep, int64_t k)
{
    static thread_local Numbers buffer;
    const Agent &agent = *deep.agent;
    for (int64_t h = 0; h < deep.n_halves; h++) {
        const Half &half = deep.halves[h];
        buffer.resize(2 * deep.n_hidden + 2 * agent.n_actions + 2 + deep.n_channels);
        double *x = buffer.data() + deep.n_hidden + agent.n_actions + 1, *drive = buffer.data();
        memcpy(x, deep.input + k * deep.n_channels, deep.n_channels * sizeof *x);
        for (int64_t l = 0; l < half.n_layers; l++) {
            const DeepLayer &layer = half.layers[l];
            const int64_t n = layer.size, n_pre = layer.n_x;
            for (int64_t j = 0; j < n_pre; j++) layer.new_x[k * n_pre + j] = (float)x[j];
            if (deep.knows_arrived && layer.is_hidden)
                memcpy(drive, layer.arrived + k * n, n * sizeof *drive);
            else
                arrive(layer, k, x, drive);
            for (int64_t i = 0; i < n; i++) drive[i] = drive[i] * layer.unit;
            if (!layer.is_hidden) continue;
            hear_drive(deep, layer, k, drive);
            const uint8_t *spikes = layer.raster + (layer.row * agent.n_replicas + k) * n;
            for (int64_t i = 0; i < n; i++) x[i] = spikes[i];
        }
        if (half.is_actor) {
            memcpy(deep.readouts + k * agent.n_actions, drive, agent.n_actions * sizeof *drive);
            memcpy(agent.probabilities + k * agent.n_actions, drive, agent.n_actions * sizeof *drive);
        } else
            deep.value[k] = drive[0];
    }
    choose_by_votes(agent, k);
}

// Copy row k of an array of n columns.
inline void copy_numbers(const float *from, int64_t k, int64_t n, float *to)
{
    memcpy(to + k * n, from + k * n, n * sizeof *to);
}

// Note what the next decision will learn from.
inline void note(const Deep &deep, int64_t k)
{
    const Agent &agent = *deep.agent;
    const int64_t n = agent.n_actions;
    int64_t first = 0;
    for (int64_t h = 0; h < deep.n_halves; h++)
        for (int64_t l = 0; l < deep.halves[h].n_layers; l++) {
            const DeepLayer &layer = deep.halves[h].layers[l];
            copy_numbers(layer.new_x, k, layer.n_x, layer.x);
            if (!layer.is_hidden) continue;
            copy_numbers(layer.new_u, k, layer.size, layer.u);
            copy_numbers(layer.new_slope, k, layer.size, layer.slope);
            copy_numbers(layer.new_inverse, k, layer.size, layer.inverse);
        }
    for (int64_t m = 0; m < n; m++) deep.scores[k * n + m] = (float)agent.phi[k * n + m];
    for (int64_t g = 0; g < agent.n_groups; g++) {
        float *pull = deep.pull + k * n + first;
        if (agent.policy->kernel == READOUT)
            pull_of_readouts(agent, deep.readouts + k * n + first, deep.entropy, pull);
        else
            entropy_pull(agent.probabilities + k * n + first, agent.groups[g], deep.entropy, pull);
        first += agent.groups[g];
    }
    deep.before[k] = deep.value[k];
}

}  // namespace neurorl
