// The data of the learning loop of one network, which neurorl/native/structures.py reads here.
// Arrays of replicas have the replica as their first index, rasters (step, replica, neuron).
#pragma once

#include <stdint.h>

namespace neurorl {

enum Kind { GIVEN, ONE_HOT, TABLE, GAUSSIAN, TILES, FOURIER, JOINT, BINS };
enum Role { OUTPUT, HIDDEN, OTHER, CRITIC };

// A map of a part of an observation; models/features defines each kind, and has these attributes.
struct Part {
    int64_t kind, d, size, start, n_states, cells, tilings, bins, channels;
    double width, floor;
    const double *low, *gain, *table, *offsets, *by_dimension;
    const double *usual;  // is taken off the values, or null
    const int64_t *strides;
    const uint8_t *squashed;
};

struct Features {
    int64_t n_parts, n_inputs, size;
    const Part *parts;
};

struct Node {
    int64_t size, depth;
    const uint8_t *raster;
    const double *current;  // activations (replica, channel) of a source of currents, else null
    uint8_t *last;  // (replica, depth, neuron): the last spikes of the window before
};

// Neurons of a layer whose rule needs p or v; neurorl/native/build.py writes step.
struct Equations {
    int64_t n_variables, n_inputs;
    int64_t v;  // the number of the variable v, or -1
    const double *initial, *constants;  // (variable, neuron), (constant, neuron)
    const double *bias;  // what statements name so, or null: then currents enter by an input
    const double *threshold;  // the constant of this name, or null
    const int64_t *refractory_steps;
    // One step, given what arrives (input, neuron), the bias and the spikes; writes
    // (right - left)/noise_width of the threshold left > right, and whether there may be a spike.
    void (*step)(
        int64_t n, const double *constants, const double *arrived, const double *bias,
        const uint8_t *spikes, const int64_t *refractory_steps, double *state, int64_t *dead,
        uint8_t *is_open, double *gap);
};

// Its synapses are dense, (blocks, n_pre, n_post), or those of one delay of a list, whose blocks are 1.
struct Projection {
    int64_t pre, n_pre, n_post, blocks, delay, is_signed, is_fine, sums_fit;
    int64_t n_synapses, trace_size;  // of the whole projection, in one replica
    const int64_t *start;  // number of each presynaptic neuron's first synapse, and of all; null: dense
    const int64_t *numbers;  // their places among all synapses, null if they are 0, 1, 2, ...
    const int32_t *post;
    int64_t target;  // which input of neurons it adds to
    int64_t stream;  // stream of the draws for its writes
    double decay, low, high, inverse, limit, unit, transmitted_unit, least, largest;
    double *weights, *eligibility;  // without weights or levels it only remembers
    int32_t *levels;  // these two in place of those where is_fine
    float *eligibility_32;
    double *trace, *in_force, *transmitted;
    int32_t *transmitted_integers;
    int16_t *transmitted_shorts;
    double *accumulator;
    const uint8_t *mask;  // null: all synapses exist
};

// What the texts of a rule can name (neurorl/rules/post_factor.py), of one layer in a window; null is
// what its text doesn't name.
struct Names {
    int64_t size, steps, stride;
    const uint8_t *spike;  // row of a step at spike + step * stride
    const double *p, *y, *v, *slow;  // (steps, size)
    const double *phi, *t, *b, *V, *n, *theta;  // (size,)
    double W, M;
};

// A bit for each name whose numbers are computed for a text that has it, and only then.
enum Used {
    USED_p = 1, USED_y = 2, USED_v = 4, USED_slow = 8,
    USED_phi = 16, USED_t = 32, USED_n = 64, USED_V = 128
};

// A compiled text: writes post factors on the grid, (steps, size), or (size,) if it is a gain.
struct Text {
    int64_t is_gain, used;
    void (*compute)(const Names &names, double *f);
};

// A population with plastic projections: the output first, then the hidden layers from it down.
struct Layer {
    int64_t node, role, first, lag, n_projections, n_fixed;
    int64_t begin, end;  // steps whose spikes have post factors
    int64_t pairs_spikes, gates_depression;
    const Text *text;  // of its post factors, else they are given:
    const double *given;  // (replica, neuron) in every spike if given_gain, else (step, replica, neuron)
    int64_t given_gain;
    const Projection *projections;  // those that learn, then n_fixed others on which p depends
    double alpha, keep, post_decay, slow_decay, depression;
    const double *powers;  // decay of the eligibility from each step to the window's end
    double *norm, *post_trace, *slow_trace;  // slow_trace: null unless the rule names it
    const double *signs;  // b of hidden units of modules and of critics, else null
    const Equations *equations;  // of its neurons, if the rule needs p or v, else null
};

// The parts of an agent: the headers with their kernels have the fields of their classes in models
// that these read, by the same names; 0 where a class has none, and infinite where it has None.
struct Encoder;
struct Policy;
struct Critic;
struct Modulator;
struct Writes;

struct Agent {
    int64_t n_replicas, threads, window, n_actions, n_output, first_vote;
    int64_t carries, normalises, has_spiking_critic, n_groups, has_masks;
    const Encoder *encoder;
    const Policy *policy;
    const Critic *critic;
    const Modulator *modulator;
    const Writes *writes;
    double gamma, norm_rate;
    Features cells, features;
    const double *cells_input, *features_input;
    uint8_t *input, *critic_input;
    double *current, *critic_current;  // used instead of these two by the encoder CURRENT
    const uint8_t *output;
    const int64_t *groups;  // their sizes: one choice is made in each
    const uint8_t *allowed;  // (replica, n_actions), heeded if has_masks
    double *numbers;  // the choices of NORMAL, in place of actions
    double *phi, *t;  // what is broadcast to modules, (replica, n_actions)
    const int64_t *seeds;
    int64_t *decisions, *decided, *actions;  // decided: in this episode
    double *probabilities;
    const double *reward, *discount, *rate;
    const uint8_t *active;
    double *x, *value, *value_trace, *mean_reward, *expected;
    double critic_unit;  // value of one spike of a spiking critic
    // Runs the network for a window; null if the simulator can't do that from C.
    void (*run)(int fresh, int64_t n_steps, const uint8_t *const *inputs, uint8_t *const *rasters);
    const uint8_t *const *run_inputs;
    uint8_t *const *run_rasters;
    int64_t n_nodes, n_layers;
    const Node *nodes;
    const Layer *layers;
};

}  // namespace neurorl

// How neurorl/native/build.py prints a text.
#define NEURORL_TEXT(name, is_gain, used, value) \
    static void name##_factors(const neurorl::Names &names, double *__restrict f) \
    { \
        const double *__restrict phi = names.phi, *__restrict t = names.t, *__restrict b = names.b; \
        const double *__restrict V = names.V, *__restrict n = names.n; \
        const double *__restrict theta = names.theta, W = names.W, M = names.M; \
        const int64_t size = names.size; \
        for (int64_t step = 0; step < (is_gain ? 1 : names.steps); step++, f += size) { \
            const uint8_t *__restrict spike = names.spike + step * names.stride; \
            const double *__restrict p = names.p + step * size, *__restrict y = names.y + step * size; \
            const double *__restrict v = names.v + step * size; \
            const double *__restrict slow = names.slow + step * size; \
            for (int64_t j = 0; j < size; j++) f[j] = __builtin_rint((value) * 0x1p20) * 0x1p-20; \
        } \
    } \
    extern "C" { neurorl::Text name = {is_gain, used, name##_factors}; }
