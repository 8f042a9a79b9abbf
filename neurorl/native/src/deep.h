// Learn hidden layers that serve all actions: neurorl/learning/deep in C++, the same operations in
// the same order. Arrays have the replica as their first index; float is rounded at each operation.
#ifndef NEURORL_DEEP_H
#define NEURORL_DEEP_H
#include "agent.h"
#include "buffers.h"
#include "decision.h"
#include "elementary.h"
#include "expressions.h"

namespace neurorl {

enum NormalisationKernel { HOMEOSTASIS, POOL, NONE };
struct Normalisation {
    int64_t kernel;
    double rate, floor;
};

enum StepSizeKernel { ROOT_MEAN_SQUARE, PLAIN, BOUNDED };
struct StepSize {
    int64_t kernel;
    double keep, log_keep, floor, limit;
};

enum ObservationsKernel { AS_SEEN, STANDARDISED };
struct Observations {
    int64_t kernel;
    double limit;
};

// Synapses (n_pre, n_post) of a replica, with a row for each presynaptic neuron.
struct DeepSynapses {
    int64_t n_pre, n_post, longest;
    double inverse, limit, transmitted_unit, bound;
    float *weights, *trace, *mean_square;
    float *feedback;  // of the layer below, or null; it learns if feedback_learns
    int64_t feedback_learns;
    int64_t *last, *age;
    uint8_t *live;
    double *sent;  // what a spike transmits, exact
    int32_t *sent_integers;  // the simulator's memory of it, or null
    // Of weights that the positions of patches share, the simulator's copies, one of these or none.
    double *copies;
    int32_t *copied_integers;
};

// What the neurons of a layer see of an image: neurorl/models/deep/patches.py. Null: all of it.
struct DeepPatches {
    int64_t positions, n_seen, filters, n_inputs, n_synapses;
    const int64_t *index;  // (positions, n_seen)
    const int64_t *rows;   // of each bundle of *filters* synapses, the number in its patch
    const int64_t *start;  // of each input, and of all: the first of its bundles
};

// A hidden layer or a readout. Its first synapses come from the layer below, the others from the bias.
struct DeepLayer {
    int64_t size, row, is_hidden, feedback_is_forward;
    double alpha, unit, threshold;
    double bias_unit, own_bias;  // of a chip's integers; bias_unit 0 in float arithmetic
    DeepSynapses below, bias;
    const uint8_t *raster;
    double *offset, *simulator_bias;  // (replica, neuron); the latter null if the host is asked
    double *mean, *variance;
    float *x, *u, *slope, *inverse, *a, *c, *alpha_mean, *kappa;
    int64_t n_x;  // of the layer below
    const DeepPatches *patches;
};

struct Half {
    int64_t n_layers, is_actor;
    double keep;
    const DeepLayer *layers;
};

struct Deep {
    const Agent *agent;
    const Half *halves;
    int64_t n_halves, scales_rewards, learns, n_seen, n_channels;
    const Normalisation *normalisation;
    const StepSize *step_size;
    const Observations *observations;
    double centring, entropy, slope;
    double *seen_mean, *seen_square, *returns, *discounted, *before, *reward;
    int64_t *seen_count, *learned;
    float *scores, *pull;
    double *input;  // (replica, channel): what has entered
    // Of this decision, until it is learned from in the next: (replica, all neurons of hidden layers).
    int64_t n_hidden;
    double *shift, *scale;
    float *new_x;  // (replica, all that come into layers)
    int64_t n_x;
    float *new_u, *new_slope, *new_inverse;
    double *value;  // (replica)
};

// The last numbers of a row before the window: see neurorl/learning/deep/loop.py.
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
    for (int64_t i = 0; i < n; i++) {
        const double variance = count > 1.0 ? square[i] / (count - 1.0) : 1.0;
        const double z = (seen[i] - mean[i]) / __builtin_sqrt(variance + 1e-8);
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
    double *arrived)
{
    const int64_t n = patches.filters, n_seen = patches.n_seen;
    for (int64_t p = 0; p < patches.positions; p++) {
        double *own = arrived + p * n;
        for (int64_t i = 0; i < n; i++) own[i] = bias[i];
        for (int64_t j = 0; j < n_seen; j++) {
            const double xj = x[patches.index[p * n_seen + j]];
            if (xj == 0.0) continue;
            for (int64_t i = 0; i < n; i++) own[i] += xj * weights[j * n + i];
        }
    }
}

template <class Number>
inline void copy_row(const double *from, int64_t n, Number *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = (Number)from[i];
}

// Let the simulator's copies of shared weights be those that learned: of the synapses of inputs that
// speak, or of all where x is null.
template <class Number>
inline void refresh(
    const DeepPatches &patches, const double *weights, const double *bias, const double *x,
    Number *copies, Number *bias_copies)
{
    const int64_t n = patches.filters;
    for (int64_t j = 0; copies && j < patches.n_inputs; j++) {
        if (x && x[j] == 0.0) continue;
        for (int64_t b = patches.start[j]; b < patches.start[j + 1]; b++)
            copy_row(weights + patches.rows[b] * n, n, copies + b * n);
    }
    for (int64_t p = 0; bias_copies && p < patches.positions; p++)
        copy_row(bias, n, bias_copies + p * n);
}

inline void refresh_copies(const DeepLayer &layer, int64_t k, const double *x)
{
    const DeepPatches &patches = *layer.patches;
    const DeepSynapses &below = layer.below, &bias = layer.bias;
    const int64_t first = k * patches.n_synapses, first_bias = k * layer.size;
    const double *weights = below.sent + k * below.n_pre * below.n_post;
    const double *own = bias.sent + k * bias.n_post;
    refresh(
        patches, weights, own, x, below.copies ? below.copies + first : nullptr,
        bias.copies ? bias.copies + first_bias : nullptr);
    refresh(
        patches, weights, own, x, below.copied_integers ? below.copied_integers + first : nullptr,
        bias.copied_integers ? bias.copied_integers + first_bias : nullptr);
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

// Compute shift and scale of a layer, and what its biases get.
inline void normal(const Deep &deep, const DeepLayer &layer, int64_t k, const double *arrived, double *shift, double *scale)
{
    static thread_local Numbers buffer;
    const int64_t n = layer.size;
    const double floor = deep.normalisation->floor;
    if (deep.normalisation->kernel == HOMEOSTASIS) {
        const double *mean = layer.mean + k * n, *variance = layer.variance + k * n;
        for (int64_t i = 0; i < n; i++) shift[i] = mean[i];
        for (int64_t i = 0; i < n; i++) scale[i] = __builtin_sqrt(variance[i] + floor);
    } else if (deep.normalisation->kernel == POOL) {
        buffer.resize(2 * n);
        double *drive = buffer.data(), *square = drive + n;
        for (int64_t i = 0; i < n; i++) drive[i] = arrived[i] * layer.unit;
        const double middle = mean_of(drive, n);
        for (int64_t i = 0; i < n; i++) square[i] = (drive[i] - middle) * (drive[i] - middle);
        const double width = __builtin_sqrt(mean_of(square, n) + floor);
        for (int64_t i = 0; i < n; i++) shift[i] = middle;
        for (int64_t i = 0; i < n; i++) scale[i] = width;
    } else {
        for (int64_t i = 0; i < n; i++) shift[i] = 0.0;
        for (int64_t i = 0; i < n; i++) scale[i] = 1.0;
    }
    double *offset = layer.offset + k * n;
    for (int64_t i = 0; i < n; i++)
        offset[i] = __builtin_rint((1.0 - shift[i] - scale[i]) * 0x1p20) * 0x1p-20;
    if (layer.simulator_bias) memcpy(layer.simulator_bias + k * n, offset, n * sizeof *offset);
}

// Return the bias that a chip gives a neuron for an offset, as bias_integers of
// neurorl/arithmetic/quantiser.py does; in float arithmetic the offset itself.
inline double bias_of(const DeepLayer &layer, double offset)
{
    if (layer.bias_unit == 0.0) return offset;
    const double value = layer.own_bias + offset * layer.bias_unit;
    double step = 1.0, power = 1.0;
    for (int e = 0; e < 7; e++, power *= 2.0)
        if (__builtin_rint(__builtin_fabs(value) / power) > 4095.0) step *= 2.0;
    double level = __builtin_rint(value / step);
    level = level < 4095.0 ? level : 4095.0;
    return (level > -4095.0 ? level : -4095.0) * step;
}

// Prepare the window of replica k.
inline bool prepare(const Deep &deep, int64_t k)
{
    static thread_local Numbers buffer;
    if (!sees_numbers(*deep.agent, k) || !enter(deep, k)) return false;
    const bool reads_drive = deep.normalisation->kernel == POOL;
    double *shift = deep.shift + k * deep.n_hidden, *scale = deep.scale + k * deep.n_hidden;
    for (int64_t h = 0; h < deep.n_halves; h++) {
        const double *x = deep.input + k * deep.n_channels;
        for (int64_t l = 0; l + 1 < deep.halves[h].n_layers; l++) {
            const DeepLayer &layer = deep.halves[h].layers[l];
            const int64_t n = layer.size;
            buffer.resize(2 * (deep.n_hidden + 1));
            double *arrived = buffer.data() + l % 2 * deep.n_hidden;
            if (layer.patches) refresh_copies(layer, k, x);
            if (reads_drive) arrive(layer, k, x, arrived);
            normal(deep, layer, k, arrived, shift, scale);
            if (reads_drive) {
                const double *offset = layer.offset + k * n;
                for (int64_t i = 0; i < n; i++)
                    arrived[i] = arrived[i] + bias_of(layer, offset[i]) > layer.threshold ? 1.0 : 0.0;
                x = arrived;
            }
            shift += n;
            scale += n;
        }
    }
    return true;
}

inline double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

// Take a hidden layer's drives into its statistics, and note u, psi and 1 / scale.
inline void hear_drive(
    const Deep &deep, const DeepLayer &layer, int64_t k, const double *drive, const double *shift,
    const double *scale, float *u, float *slope, float *inverse)
{
    const int64_t n = layer.size;
    const double steepness = deep.slope;
    for (int64_t i = 0; i < n; i++) {
        const double normal = (drive[i] - shift[i]) / scale[i];
        const double p = sigmoid(steepness * (normal - 1.0));
        u[i] = (float)normal;
        slope[i] = (float)((steepness * p) * (1.0 - p));
        inverse[i] = (float)(1.0 / scale[i]);
    }
    if (!deep.learns || deep.normalisation->kernel != HOMEOSTASIS) return;
    const double first = 1.0 / ((double)deep.learned[k] + 2.0), usual = deep.normalisation->rate;
    const double rate = usual > first ? usual : first;
    double *mean = layer.mean + k * n, *variance = layer.variance + k * n;
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

// The entropy of a normal distribution grows with the logarithm of its width.
inline void entropy_pull_of_readouts(double factor, float *pull)
{
    pull[0] = 0.0f;
    pull[1] = (float)factor;
}

// Read replica k's window: value, preferences, and all that its layers will learn from; choose.
inline void conclude(const Deep &deep, int64_t k)
{
    static thread_local Numbers buffer;
    const Agent &agent = *deep.agent;
    int64_t at = k * deep.n_hidden;
    float *new_x = deep.new_x + k * deep.n_x;
    for (int64_t h = 0; h < deep.n_halves; h++) {
        const Half &half = deep.halves[h];
        buffer.resize(2 * deep.n_hidden + 2 * agent.n_actions + 2 + deep.n_channels);
        double *x = buffer.data() + deep.n_hidden + agent.n_actions + 1, *drive = buffer.data();
        memcpy(x, deep.input + k * deep.n_channels, deep.n_channels * sizeof *x);
        for (int64_t l = 0; l < half.n_layers; l++) {
            const DeepLayer &layer = half.layers[l];
            const int64_t n = layer.size, n_pre = layer.n_x;
            for (int64_t j = 0; j < n_pre; j++) new_x[j] = (float)x[j];
            new_x += n_pre;
            arrive(layer, k, x, drive);
            for (int64_t i = 0; i < n; i++) drive[i] = drive[i] * layer.unit;
            if (!layer.is_hidden) continue;
            hear_drive(
                deep, layer, k, drive, deep.shift + at, deep.scale + at, deep.new_u + at,
                deep.new_slope + at, deep.new_inverse + at);
            const uint8_t *spikes = layer.raster + (layer.row * agent.n_replicas + k) * n;
            for (int64_t i = 0; i < n; i++) x[i] = spikes[i];
            at += n;
        }
        if (half.is_actor)
            memcpy(agent.probabilities + k * agent.n_actions, drive, agent.n_actions * sizeof *drive);
        else
            deep.value[k] = drive[0];
    }
    choose_by_votes(agent, k);
}

// Note what the next decision will learn from.
inline void note(const Deep &deep, int64_t k)
{
    const Agent &agent = *deep.agent;
    const int64_t n = agent.n_actions;
    int64_t at = k * deep.n_hidden, first = 0;
    const float *new_x = deep.new_x + k * deep.n_x;
    for (int64_t h = 0; h < deep.n_halves; h++)
        for (int64_t l = 0; l < deep.halves[h].n_layers; l++) {
            const DeepLayer &layer = deep.halves[h].layers[l];
            const int64_t n_pre = layer.n_x, size = layer.size;
            memcpy(layer.x + k * n_pre, new_x, n_pre * sizeof *new_x);
            new_x += n_pre;
            if (!layer.is_hidden) continue;
            memcpy(layer.u + k * size, deep.new_u + at, size * sizeof(float));
            memcpy(layer.slope + k * size, deep.new_slope + at, size * sizeof(float));
            memcpy(layer.inverse + k * size, deep.new_inverse + at, size * sizeof(float));
            at += size;
        }
    for (int64_t m = 0; m < n; m++) deep.scores[k * n + m] = (float)agent.phi[k * n + m];
    for (int64_t g = 0; g < agent.n_groups; g++) {
        float *pull = deep.pull + k * n + first;
        if (agent.policy->kernel == READOUT)
            entropy_pull_of_readouts(deep.entropy, pull);
        else
            entropy_pull(agent.probabilities + k * n + first, agent.groups[g], deep.entropy, pull);
        first += agent.groups[g];
    }
    deep.before[k] = deep.value[k];
}

// The constants of one pass over synapses, each as it is rounded.
struct Pass {
    float delta, keep, eta, share, rest, correction, floor, limit, bound;
};

// Take the signal g of a synapse into its mean square h, and return the change of its weight.
template <int KERNEL> inline float change_of(const Pass &pass, float g, float &h)
{
    float step = g;
    if (KERNEL == ROOT_MEAN_SQUARE) {
        h = pass.share * h + (pass.rest * g) * g;
        step = g / __builtin_sqrtf(h * pass.correction + pass.floor);
    }
    if (KERNEL == BOUNDED) {
        step = step > -pass.limit ? step : -pass.limit;
        step = step < pass.limit ? step : pass.limit;
    }
    return pass.eta * step;
}

inline float within(float w, float bound)
{
    w = w > -bound ? w : -bound;
    return w < bound ? w : bound;
}

// Remember and learn a row: x is what its input said, extra what is added to g for each unit of it.
// pass is a copy, as floats that are written might lie in the caller's.
template <int KERNEL, bool SAID, bool EXTRA, bool FEEDBACK>
inline void learn_row(
    const Pass pass, int64_t n, float x, const float *__restrict f, const float *__restrict extra,
    float *__restrict e, float *__restrict h, float *__restrict w, float *__restrict b)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float trace = pass.keep * e[i];
        if (SAID) trace = trace + x * f[i];
        e[i] = trace;
        float g = pass.delta * trace;
        if (SAID && EXTRA) g = g + x * extra[i];
        const float change = change_of<KERNEL>(pass, g, h[i]);
        w[i] = within(w[i] + change, pass.bound);
        if (FEEDBACK) b[i] = b[i] + change;
    }
}

template <int KERNEL, bool FEEDBACK>
inline void learn_row_by(
    const Pass &pass, int64_t n, float x, const float *f, const float *extra, float *e, float *h,
    float *w, float *b)
{
    if (x == 0.0f)
        learn_row<KERNEL, false, false, FEEDBACK>(pass, n, x, f, extra, e, h, w, b);
    else if (extra)
        learn_row<KERNEL, true, true, FEEDBACK>(pass, n, x, f, extra, e, h, w, b);
    else
        learn_row<KERNEL, true, false, FEEDBACK>(pass, n, x, f, extra, e, h, w, b);
}

// Sum what one number of all patches said, in the order of their positions. Return whether it spoke.
inline bool sum_patches(
    const DeepPatches &patches, int64_t j, const float *x, const float *f, const float *extra,
    float *__restrict sum, float *__restrict added)
{
    const int64_t n = patches.filters;
    bool speaks = false;
    for (int64_t i = 0; i < n; i++) sum[i] = added[i] = 0.0f;
    for (int64_t p = 0; p < patches.positions; p++) {
        const float xj = x ? x[patches.index[p * patches.n_seen + j]] : 1.0f;
        if (xj == 0.0f) continue;
        speaks = true;
        for (int64_t i = 0; i < n; i++) sum[i] += xj * f[p * n + i];
        if (extra)
            for (int64_t i = 0; i < n; i++) added[i] += xj * extra[p * n + i];
    }
    return speaks;
}

typedef std::vector<float, OnLines<float>> Floats;

// Do as learn_row for all rows together, given x, f, extra and whether it lives of each synapse:
// a row of few columns costs more than these.
template <int KERNEL, bool EXTRA, bool FEEDBACK>
inline void learn_narrow(
    const Pass pass, int64_t n, const float *__restrict live, const float *__restrict x,
    const float *__restrict f, const float *__restrict extra, float *__restrict e,
    float *__restrict h, float *__restrict w, float *__restrict b)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const bool lives = live[i] != 0.0f, said = x[i] != 0.0f;
        const float kept = pass.keep * e[i], trace = said ? kept + x[i] * f[i] : kept;
        float g = pass.delta * trace, square = h[i];
        if (EXTRA) g = said ? g + x[i] * extra[i] : g;
        const float change = change_of<KERNEL>(pass, g, square);
        const float weight = within(w[i] + change, pass.bound);
        e[i] = lives ? trace : e[i];
        h[i] = lives ? square : h[i];
        w[i] = lives ? weight : w[i];
        if (FEEDBACK) b[i] = lives ? b[i] + change : b[i];
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

// Let rows of replica k wake and fall silent. Return how many live, and write their numbers.
template <int KERNEL>
inline int64_t living_rows(
    const DeepSynapses &s, int64_t k, const float *x, int64_t decisions, double log_keep,
    int64_t *rows)
{
    static thread_local std::vector<uint8_t> heeded;
    const int64_t n = s.n_post, n_pre = s.n_pre, first = k * n_pre;
    int64_t *age = s.age + first, count = 0;
    uint8_t *live = s.live + first;
    heeded.resize(n_pre + 8);
    uint8_t *__restrict heed = heeded.data();
    for (int64_t j = 0; j < n_pre; j++) heed[j] = (uint8_t)(x[j] != 0.0f) | live[j];
    memset(heed + n_pre, 0, 8);
    for (int64_t j = 0; j < n_pre; j++) age[j] = x[j] != 0.0f ? 0 : age[j] + 1;
    for (int64_t eighth = 0; eighth < n_pre; eighth += 8) {
        uint64_t bytes;
        memcpy(&bytes, heed + eighth, 8);
        if (!bytes) continue;
        for (int64_t j = eighth; j < eighth + 8; j++) {
            if (!heed[j]) continue;
            const int64_t row = first + j, at = row * n;
            if (!live[j]) {
                if (KERNEL == ROOT_MEAN_SQUARE) {
                    const float left = (float)exp((double)(decisions - s.last[row]) * log_keep);
                    float *h = s.mean_square + at;
                    for (int64_t i = 0; i < n; i++) h[i] = h[i] * left;
                }
                live[j] = 1;
            } else if (age[j] > s.longest) {
                for (int64_t i = 0; i < n; i++) s.trace[at + i] = 0.0f;
                live[j] = 0;
                continue;
            }
            s.last[row] = decisions + 1;
            rows[count++] = j;
        }
    }
    return count;
}

const int64_t NARROW = 8;  // columns

template <int KERNEL>
inline void learn_rows(
    const Pass &pass, const DeepSynapses &s, const DeepPatches *patches, int64_t k, const float *x,
    const float *f, const float *extra, int64_t decisions, double log_keep)
{
    static thread_local std::vector<int64_t> rows;
    static thread_local Floats buffer, summed;
    const int64_t n = s.n_post, n_pre = s.n_pre, first = k * n_pre, all = n_pre * n;
    rows.resize(n_pre);
    if (patches) {
        summed.resize(2 * all + n_pre);
        float *spoke = summed.data() + 2 * all;
        for (int64_t j = 0; j < n_pre; j++) {
            float *sum = summed.data() + j * n;
            spoke[j] = sum_patches(*patches, j, x, f, extra, sum, sum + all) ? 1.0f : 0.0f;
        }
        x = spoke;
    }
    const int64_t count = living_rows<KERNEL>(s, k, x, decisions, log_keep, rows.data());
    if (!patches && (n > NARROW || n_pre == 1)) {
        for (int64_t m = 0; m < count; m++) {
            const int64_t j = rows[m], at = (first + j) * n;
            float *e = s.trace + at, *h = s.mean_square + at, *w = s.weights + at;
            if (s.feedback_learns)
                learn_row_by<KERNEL, true>(pass, n, x[j], f, extra, e, h, w, s.feedback + at);
            else
                learn_row_by<KERNEL, false>(pass, n, x[j], f, extra, e, h, w, nullptr);
            transmit(s, at, n);
        }
        return;
    }
    buffer.resize(4 * all);
    float *live = buffer.data(), *said = live + all, *each = said + all, *added = each + all;
    for (int64_t j = 0, at = 0; j < n_pre; j++)
        for (int64_t i = 0; i < n; i++, at++) {
            live[at] = s.live[first + j];
            said[at] = x[j];
            each[at] = patches ? summed[at] : f[i];
            added[at] = !extra ? 0.0f : patches ? summed[all + at] : extra[i];
        }
    const int64_t at = first * n;
    float *e = s.trace + at, *h = s.mean_square + at, *w = s.weights + at, *b = s.feedback + at;
    if (extra && s.feedback_learns)
        learn_narrow<KERNEL, true, true>(pass, all, live, said, each, added, e, h, w, b);
    else if (extra)
        learn_narrow<KERNEL, true, false>(pass, all, live, said, each, added, e, h, w, b);
    else if (s.feedback_learns)
        learn_narrow<KERNEL, false, true>(pass, all, live, said, each, added, e, h, w, b);
    else
        learn_narrow<KERNEL, false, false>(pass, all, live, said, each, added, e, h, w, b);
    transmit(s, at, all);
}

inline void learn_synapses(
    const Deep &deep, const DeepLayer &layer, const DeepSynapses &s, int64_t k, const float *x,
    const float *f, const float *extra, float delta, float keep)
{
    const StepSize &size = *deep.step_size;
    const int64_t decisions = deep.learned[k];
    Pass pass = {delta, keep, (float)(layer.alpha * deep.agent->rate[k])};
    if (pass.eta == 0.0f) return;
    pass.share = (float)size.keep;
    pass.rest = (float)(1.0 - size.keep);
    pass.floor = (float)size.floor;
    pass.limit = (float)size.limit;
    pass.bound = (float)s.bound;
    if (size.kernel == ROOT_MEAN_SQUARE) {
        pass.correction = (float)(1.0 / (1.0 - exp(((double)decisions + 1.0) * size.log_keep)));
        learn_rows<ROOT_MEAN_SQUARE>(pass, s, layer.patches, k, x, f, extra, decisions, size.log_keep);
    } else if (size.kernel == BOUNDED) {
        learn_rows<BOUNDED>(pass, s, layer.patches, k, x, f, extra, decisions, 0.0);
    } else {
        learn_rows<PLAIN>(pass, s, layer.patches, k, x, f, extra, decisions, 0.0);
    }
}

// Sum what each of n neurons hears, in the order of m signals; 8 sums at once, as each waits for itself.
inline void hear(const float *heard, const float *signals, int64_t n, int64_t m, float *out)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int64_t last = n - i < 8 ? n - i : 8;
        const float *row = heard + i * m;
        float total[8] = {0.0f};
        if (last == 8)
            for (int64_t j = 0; j < m; j++)
                for (int r = 0; r < 8; r++) total[r] = total[r] + row[r * m + j] * signals[j];
        else
            for (int64_t j = 0; j < m; j++)
                for (int64_t r = 0; r < last; r++)
                    total[r] = total[r] + row[r * m + j] * signals[j];
        for (int64_t r = 0; r < last; r++) out[i + r] = total[r];
    }
}

// Find a hidden layer's post factors from those of the layer above, and what centring adds to g.
inline void post_factors(
    const Deep &deep, const DeepLayer &layer, const DeepLayer &above, int64_t k, const float *signals,
    float keep, float delta, float *f, float *extra)
{
    const int64_t n = layer.size, m = above.size;
    const float *heard = layer.feedback_is_forward ? above.below.weights : above.below.feedback;
    heard += k * n * m;
    const float *u = layer.u + k * n, *slope = layer.slope + k * n, *inverse = layer.inverse + k * n;
    hear(heard, signals, n, m, f);
    for (int64_t i = 0; i < n; i++) f[i] = f[i] * slope[i];
    if (deep.normalisation->kernel == POOL) {
        static thread_local Floats buffer;
        buffer.resize(n);
        const float middle = mean_of(f, n);
        for (int64_t i = 0; i < n; i++) buffer[i] = f[i] * u[i];
        const float tilt = mean_of(buffer.data(), n);
        for (int64_t i = 0; i < n; i++) f[i] = (f[i] - middle) - u[i] * tilt;
    }
    if (deep.centring != 0.0) {
        const float rate = (float)deep.centring;
        float *a = layer.a + k * n, *c = layer.c + k * n;
        float *alpha = layer.alpha_mean + k * n, *kappa = layer.kappa + k * n;
        for (int64_t i = 0; i < n; i++) {
            a[i] = keep * a[i] + f[i];
            c[i] = keep * c[i] + f[i] * u[i];
            alpha[i] += rate * (delta * a[i] - alpha[i]);
            kappa[i] += rate * (delta * c[i] - kappa[i]);
            extra[i] = -((alpha[i] + kappa[i] * u[i]) * inverse[i]);
        }
    }
    for (int64_t i = 0; i < n; i++) f[i] = f[i] * inverse[i];
}

// Learn from the last decision of replica k; ahead: the discounted value of what came of it.
inline bool learn_from(const Deep &deep, int64_t k, double ahead)
{
    static thread_local Floats buffer;
    const Agent &agent = *deep.agent;
    const double most = agent.modulator->limit;
    double error = deep.reward[k] + ahead - deep.before[k];
    if (!is_finite(error)) return false;
    error = error < most ? error : most;
    error = error > -most ? error : -most;
    const float delta = (float)error, one = 1.0f;
    for (int64_t h = 0; h < deep.n_halves; h++) {
        const Half &half = deep.halves[h];
        const float keep = (float)half.keep;
        const float *signals = half.is_actor ? deep.scores + k * agent.n_actions : &one;
        const float *extra = half.is_actor ? deep.pull + k * agent.n_actions : nullptr;
        buffer.resize(2 * deep.n_hidden + 2);
        float *f = buffer.data();
        // All factors come before any weight changes, from the readout down.
        std::vector<std::pair<const float *, const float *>> changes;
        changes.push_back({signals, extra});
        for (int64_t l = half.n_layers - 2; l >= 0; l--) {
            const DeepLayer &layer = half.layers[l];
            float *own = f, *added = f + layer.size;
            post_factors(deep, layer, half.layers[l + 1], k, signals, keep, delta, own, added);
            changes.push_back({own, deep.centring != 0.0 ? added : nullptr});
            signals = own;
            f += 2 * layer.size;
        }
        for (size_t c = 0; c < changes.size(); c++) {
            const DeepLayer &layer = half.layers[half.n_layers - 1 - (int64_t)c];
            const float *x = layer.x + k * layer.n_x;
            const float *ones = layer.patches ? nullptr : &one;
            learn_synapses(deep, layer, layer.below, k, x, changes[c].first, changes[c].second, delta, keep);
            learn_synapses(deep, layer, layer.bias, k, ones, changes[c].first, changes[c].second, delta, keep);
        }
    }
    deep.learned[k]++;
    return true;
}

// Divide the reward of replica k by the running deviation of discounted returns.
inline void hear_reward(const Deep &deep, int64_t k)
{
    if (!deep.scales_rewards) return;
    double *returns = deep.returns + 3 * k, &now = deep.discounted[k], reward = deep.reward[k];
    now = now * deep.agent->gamma + reward;
    const double count = returns[2] + 1.0, off = now - returns[0];
    const double mean = returns[0] + off / count, square = returns[1] + off * (now - mean);
    returns[0] = mean;
    returns[1] = square;
    returns[2] = count;
    const double variance = count > 1.0 ? square / (count - 1.0) : 0.0;
    if (variance > 1e-8) deep.reward[k] = reward / __builtin_sqrt(variance);
}

}  // namespace neurorl

#endif
