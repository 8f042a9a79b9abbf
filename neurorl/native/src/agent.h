// The data of the learning loop of one network; neurorl/native/structures.py mirrors it.
// Arrays of replicas have the replica as their first index, rasters (step, replica, neuron).
#ifndef NEURORL_AGENT_H
#define NEURORL_AGENT_H
#include <stdint.h>

#include "names.h"

namespace neurorl {

// Every choice is a list, from which its enumeration and its names are made, see neurorl_choices.
#define NEURORL_KINDS(X) \
    X(GIVEN) X(ONE_HOT) X(TABLE) X(GAUSSIAN) X(TILES) X(FOURIER) X(JOINT) X(BINS)
#define NEURORL_ENCODERS(X) X(QUIET) X(BERNOULLI) X(CURRENT)
#define NEURORL_POLICIES(X) X(SOFTMAX) X(GREEDY) X(NORMAL)
#define NEURORL_MODULATORS(X) X(TD_ERROR) X(REWARD)
#define NEURORL_WRITES(X) X(SHADOW) X(STOCHASTIC) X(ACCUMULATE) X(REGISTER)
#define NEURORL_ROLES(X) X(OUTPUT) X(HIDDEN) X(OTHER) X(CRITIC)

#define NEURORL_ENUMERATOR(name) name,
enum Kind { NEURORL_KINDS(NEURORL_ENUMERATOR) };
enum Encoder { NEURORL_ENCODERS(NEURORL_ENUMERATOR) };
enum Policy { NEURORL_POLICIES(NEURORL_ENUMERATOR) };
enum Modulator { NEURORL_MODULATORS(NEURORL_ENUMERATOR) };
enum Writes { NEURORL_WRITES(NEURORL_ENUMERATOR) };
enum Role { NEURORL_ROLES(NEURORL_ENUMERATOR) };

// A map of a part of an observation; models/features defines each kind.
struct Part {
    int64_t kind, d, size, a, b;
    double width, floor;
    const double *low, *gain, *table, *usual;  // usual: is taken off the values, or null
    const int64_t *whole;
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

// Neurons of a layer whose rule needs p or v; neurorl/native/equations.py writes step.
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

struct Projection {
    int64_t pre, n_pre, n_post, blocks, delay, is_signed, is_fine, sums_fit;
    int64_t target;  // which input of neurons it adds to
    int64_t stream;  // stream of the draws for its writes
    double decay, low, high, inverse, limit, unit, transmitted_unit, least, largest;
    double *weights, *eligibility;
    int32_t *levels;  // these two in place of those where is_fine
    float *eligibility_32;
    double *trace, *in_force, *transmitted;
    int32_t *transmitted_integers;
    double *accumulator;
    const uint8_t *mask;  // null: all synapses exist
};

// A population with plastic projections: the output first, then the hidden layers from it down.
struct Layer {
    int64_t node, role, first, lag, n_projections, n_fixed;
    int64_t begin, end;  // steps whose spikes have post factors
    int64_t pairs_spikes, gates_depression;
    const Text *text;  // of its post factors
    const Projection *projections;  // those that learn, then n_fixed others on which p depends
    double alpha, keep, post_decay, slow_decay, depression;
    const double *powers;  // decay of the eligibility from each step to the window's end
    double *norm, *post_trace, *slow_trace;  // slow_trace: null unless the rule names it
    const double *signs;  // b of hidden units of modules and of critics, else null
    const Equations *equations;  // of its neurons, if the rule needs p or v, else null
};

struct Agent {
    int64_t n_replicas, window, n_actions, n_output, first_vote;
    int64_t encoder, policy, modulator, carries, normalises, has_spiking_critic;
    int64_t writes, write_every;
    int64_t n_groups, has_masks, hold, repeats, repeats_decisions, natural;
    double peak, beta, beta_end, beta_decisions, exploration, sigma, sigma_end, sigma_decisions;
    double alpha_critic, critic_decay, modulator_limit, norm_rate;
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
    double critic_initial;  // what a linear critic adds to what it has learned
    // Runs the network for a window; null if the simulator can't do that from C.
    void (*run)(int fresh, int64_t n_steps, const uint8_t *const *inputs, uint8_t *const *rasters);
    const uint8_t *const *run_inputs;
    uint8_t *const *run_rasters;
    int64_t n_nodes, n_layers;
    const Node *nodes;
    const Layer *layers;
};

}  // namespace neurorl

#endif
