// The data of agents with hidden layers that serve all actions: neurorl/learning/deep in C++. Arrays
// have the replica as their first index.
#pragma once

#include "agent.h"

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
    double limit, floor;
};

// Synapses (n_pre, n_post) of a replica, with a row for each presynaptic neuron.
struct DeepSynapses {
    int64_t n_pre, n_post, longest;
    double inverse, limit, transmitted_unit, bound;
    float *weights, *trace, *h;
    float *feedback;  // of the layer below, or null; it learns if feedback_learns
    int64_t feedback_learns;
    int64_t *last, *age;
    uint8_t *live;
    double *sent;  // what a spike transmits, exact
    int32_t *sent_integers;  // the simulator's memory of it, or null
    uint8_t *stale;  // rows to bring in force when they speak; null if they are as they learn
    // Of weights that the positions of patches share, the simulator's copies, one of these or none.
    double *copies;
    int32_t *copied_integers;
};

// What the neurons of a layer see of an image: neurorl/models/deep/patches.py. Null: all of it.
struct DeepPatches {
    int64_t positions, n_seen, filters, n_inputs, n_synapses;
    const int64_t *rows;   // of each bundle of *filters* synapses, the number in its patch
    const int64_t *positions_of;  // of each bundle
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
    // Of this decision, until it is learned from in the next. arrived: if the window can't change it.
    float *new_x, *new_u, *new_slope, *new_inverse;
    double *shift, *scale, *arrived;
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
    int64_t knows_arrived;  // whether a window changes nothing of it
    int64_t writes_flows;  // whether it writes what currents add to the simulator's biases
    const Normalisation *normalisation;
    const StepSize *step_size;
    const Observations *observations;
    double centring, entropy, slope;
    double *seen_mean, *seen_square, *returns, *discounted, *before, *reward;
    int64_t *seen_count, *learned;
    float *scores, *pull;
    double *readouts;  // of this decision
    double *input;  // (replica, channel): what has entered
    int64_t n_hidden;  // neurons of all hidden layers
    double *value;  // (replica)
};

}  // namespace neurorl
