// What cells.cpp works on; backends/torch/structures.py has the same, which is compared on loading.
#ifndef NEURORL_CELLS_H
#define NEURORL_CELLS_H
#include <cstdint>

#include "describe.h"

namespace {

// Kinds of spikes: given by the caller; 0 or 1 without a gradient; with the gradient of `Slope`;
// with that of `Concrete`; the relaxed spikes of `Concrete`. The order is that of structures.py, and
// kinds above HARD have a slope.
#define NEURORL_SPIKES(X) X(FORCED) X(HARD) X(SLOPE) X(CONCRETE) X(RELAXED)
enum Kind { NEURORL_SPIKES(NEURORL_ENUMERATOR) };

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

inline void describe_strides(std::string &text)
{
    using S = Strides;
    neurorl::describe(text, "Strides", sizeof(S), {
        NEURORL_AT(replica), NEURORL_AT(step), NEURORL_AT(environment)
    });
}

inline void describe_cells(std::string &text)
{
    using S = Cells;
    neurorl::describe(text, "Cells", sizeof(S), {
        NEURORL_AT(n_replicas), NEURORL_AT(first_step), NEURORL_AT(end_step), NEURORL_AT(batch),
        NEURORL_AT(size), NEURORL_AT(bias_rows), NEURORL_AT(kind), NEURORL_AT(through_reset),
        NEURORL_AT(is_chip), NEURORL_AT(longest), NEURORL_AT(temperature),
        NEURORL_AT(current_half), NEURORL_AT(state_half), NEURORL_AT(voltage_max),
        NEURORL_AT(current_decay), NEURORL_AT(membrane_decay), NEURORL_AT(threshold),
        NEURORL_AT(noise_width), NEURORL_AT(width), NEURORL_AT(table), NEURORL_AT(dead),
        NEURORL_AT(bias), NEURORL_AT(u), NEURORL_AT(v), NEURORL_AT(blocked), NEURORL_AT(words),
        NEURORL_AT(noise), NEURORL_AT(q), NEURORL_AT(q_strides), NEURORL_AT(strides),
        NEURORL_AT(spikes), NEURORL_AT(slope), NEURORL_AT(membrane), NEURORL_AT(alive),
        NEURORL_AT(wish), NEURORL_AT(drive), NEURORL_AT(inside), NEURORL_AT(u_after),
        NEURORL_AT(v_after), NEURORL_AT(blocked_after)
    });
}

inline void describe_gradients(std::string &text)
{
    using S = Gradients;
    neurorl::describe(text, "Gradients", sizeof(S), {
        NEURORL_AT(spikes), NEURORL_AT(membrane), NEURORL_AT(spikes_strides),
        NEURORL_AT(membrane_strides), NEURORL_AT(u_after), NEURORL_AT(v_after),
        NEURORL_AT(blocked_after), NEURORL_AT(q), NEURORL_AT(bias), NEURORL_AT(u), NEURORL_AT(v),
        NEURORL_AT(blocked)
    });
}

inline std::string layout()
{
    std::string text;
    describe_strides(text);
    describe_cells(text);
    describe_gradients(text);
    neurorl::describe(text, "spikes", {NEURORL_SPIKES(NEURORL_NAME)});
    return text;
}

}  // namespace

#endif
