// Steps of Loihi's emulator: backends/loihi/fast_window.py in C.
#ifndef NEURORL_EMULATOR_H
#define NEURORL_EMULATOR_H
#include <limits.h>

#include "chip.h"
#include "pes.h"

namespace neurorl {

// A source. raster: n spikes a row, one row for each step to run; row s arrives in step s + 1.
struct Arrivals {
    const uint8_t *raster;
    uint8_t *arrived;
    int64_t n;
};

// A population whose neurons don't lie side by side.
struct Gathered {
    const int64_t *places;
    uint8_t *arrived;
    int64_t n;
};

struct Emulator {
    const Arrivals *arrivals;
    const Gathered *gathered;
    const BlockRows *blocks;
    Compartments *compartments;
    const Learning *parts;
    const Twister *generator;
    int64_t n_inputs, n_gathered, n_blocks, n_parts, n_noise;
};

inline void arrive(const Emulator &e, int64_t s)
{
    for (int64_t k = 0; s > 0 && k < e.n_inputs; k++) {
        const Arrivals &a = e.arrivals[k];
        memcpy(a.arrived, a.raster + (s - 1) * a.n, a.n);
    }
    for (int64_t k = 0; k < e.n_gathered; k++) {
        const Gathered &g = e.gathered[k];
        for (int64_t i = 0; i < g.n; i++) g.arrived[i] = e.compartments->spiked[g.places[i]];
    }
}

// In a dead step the voltage is 0, and noise must not lift it.
inline void set_thresholds(const Compartments &c, const int32_t *thresholds)
{
    memcpy(c.vth, thresholds, c.n * sizeof(int32_t));
    for (int64_t i = 0; c.has_refractory && i < c.n; i++)
        if (c.ref_count[i] > 0) c.vth[i] = INT_MAX;
}

// t: the step before the first. thresholds: those of each step, or null. spikes: filled in.
inline void run(
    const Emulator &e, int64_t t, int64_t n_steps, const int32_t *thresholds, uint8_t *spikes)
{
    const Compartments &c = *e.compartments;
    for (int64_t s = 0; s < n_steps; s++) {
        memset(c.q, 0, c.n * sizeof(int32_t));
        arrive(e, s);
        for (int64_t k = 0; k < e.n_blocks; k++) add_spiking(e.blocks[k]);
        if (e.n_parts) learn(e.parts, e.n_parts, *e.generator, e.n_noise, t + s + 1);
        if (thresholds) set_thresholds(c, thresholds + s * c.n);
        update(c);
        memcpy(spikes + s * c.n, c.spiked, c.n);
    }
}

}  // namespace neurorl

#endif
