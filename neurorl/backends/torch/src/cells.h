// What cells.cpp works on; backends/torch/structures.py has the same, which is compared when it is compiled.
#ifndef NEURORL_CELLS_H
#define NEURORL_CELLS_H
#include <cstdint>

namespace {

// Kinds of spikes: given by the caller; 0 or 1 without a gradient; with the gradient of `Slope`;
// with that of `Concrete`; the relaxed spikes of `Concrete`. The order is that of structures.py, and
// kinds above HARD have a slope.
enum Kind { FORCED, HARD, SLOPE, CONCRETE, RELAXED };

// Strides of a window's tensor in elements; the last axis, of neurons, has a stride of 1.
struct Strides {
    int64_t replica, step, environment;
    int64_t at(int64_t r, int64_t t, int64_t b) const
    {
        return r * replica + t * step + b * environment;
    }
};

}  // namespace

extern "C" {

// One population over a window; structures.py mirrors this field by field. Pointers are null where
// there is nothing. Arrays without an axis of steps have a row for each (replica, environment).
struct Cells {
    int64_t n_replicas, first_step, end_step, batch, size;
    int64_t bias_rows;  // 1, or one for each replica, or one for each row
    int64_t kind, through_reset, is_chip;
    int64_t longest;  // most dead steps: `dead` is (longest, size), `blocked` (longest, rows, size)
    double temperature;
    double current_half, state_half, voltage_max;  // ranges of the chip's registers
    const void *current_decay, *membrane_decay, *threshold, *noise_width, *width, *table, *dead;
    const void *bias, *u, *v, *blocked;
    const int16_t *words;
    const void *noise;
    const void *q;
    Strides q_strides, strides;  // `strides` is that of noise and of all arrays below with steps
    void *spikes, *slope, *membrane;
    void *alive, *wish, *drive;  // 0 in dead steps; spikes and membrane as if there were none
    void *inside;  // 1 where a voltage of the chip was within its range
    void *u_after, *v_after, *blocked_after;
};

// Gradients that come by a window's outputs, and those that leave by its inputs, in the last line.
struct Gradients {
    const void *spikes, *membrane;
    Strides spikes_strides, membrane_strides;
    const void *u_after, *v_after, *blocked_after;
    void *q, *bias, *u, *v, *blocked;
};
}

namespace {

}  // namespace

#endif
