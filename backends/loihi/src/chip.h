// Loihi's neurons for nengo-loihi's emulator: backends/loihi/accelerate.py in C.
#ifndef NEURORL_CHIP_H
#define NEURORL_CHIP_H
#include <stdint.h>
#include <string.h>

namespace neurorl {

struct Compartments {
    int64_t n, has_refractory;
    int32_t *q, *current, *voltage, *ref_count, *spike_count;
    uint8_t *spiked;
    const int32_t *bias, *vmin, *vmax, *ref;
    int32_t *vth;
    const double *current_factor, *voltage_factor;
};

// Wrap x as a register of *bits* and a sign overflows.
inline int32_t wrap(int32_t x, int bits)
{
    const uint32_t half = 1u << bits;
    return (int32_t)((((uint32_t)x + half) & (2 * half - 1)) - half);
}

inline int32_t decayed(int32_t x, double factor) { return (int32_t)((double)x * factor); }

template <bool REFRACTORY>
inline void update_all(const Compartments &c)
{
    // Local copies: the compiler must assume that writing bytes may change the structure.
    int32_t *__restrict input = c.q, *__restrict current = c.current;
    int32_t *__restrict voltage = c.voltage, *__restrict ref_count = c.ref_count;
    int32_t *__restrict spike_count = c.spike_count;
    uint8_t *__restrict spiked = c.spiked;
    const int32_t *bias = c.bias, *vmin = c.vmin, *vmax = c.vmax, *vth = c.vth, *ref = c.ref;
    const double *current_factor = c.current_factor, *voltage_factor = c.voltage_factor;
    const int64_t n = c.n;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const int32_t q = wrap(input[i], 21);
        const int32_t u = wrap(decayed(current[i], current_factor[i]) + q, 23);
        int32_t v = decayed(voltage[i], voltage_factor[i]) + wrap(u + bias[i], 23);
        v = v > vmin[i] ? v : vmin[i];
        v = v < vmax[i] ? v : vmax[i];
        if (REFRACTORY) v = ref_count[i] > 0 ? 0 : v;
        const int32_t spikes = v > vth[i];
        input[i] = q;
        current[i] = u;
        voltage[i] = spikes ? 0 : v;
        spiked[i] = spikes;
        spike_count[i] += spikes;
        if (REFRACTORY) {
            const int32_t left = (spikes ? ref[i] : ref_count[i]) - 1;
            ref_count[i] = left > 0 ? left : 0;
        }
    }
}

inline void update(const Compartments &c)
{
    if (c.has_refractory)
        update_all<true>(c);
    else
        update_all<false>(c);
}

// index: the target of each entry; padding has weight 0.
inline void add_to(const int32_t *row, const int32_t *index, int64_t width, int32_t *q)
{
    for (int64_t j = 0; j < width; j++) {
        int32_t &to = q[index[j]];
        to = (int32_t)((uint32_t)to + (uint32_t)row[j]);
    }
}

inline void add_row(const int32_t *row, int64_t width, int32_t *q)
{
    for (int64_t j = 0; j < width; j++) q[j] = (int32_t)((uint32_t)q[j] + (uint32_t)row[j]);
}

// A projection: axons that spiked in the step before add their rows of the table, to all targets in
// order or, with an index of the table's shape, to the targets that it names.
struct BlockRows {
    const uint8_t *spiked;
    int64_t rows;
    const int32_t *table, *index;
    int64_t width;
    int32_t *q;
};

inline void add_one(const BlockRows &b, int64_t i)
{
    if (b.index)
        add_to(b.table + i * b.width, b.index + i * b.width, b.width, b.q);
    else
        add_row(b.table + i * b.width, b.width, b.q);
}

inline void add_spiking(const BlockRows &b)
{
    int64_t i = 0;
    for (; i + 8 <= b.rows; i += 8) {
        uint64_t eight;
        memcpy(&eight, b.spiked + i, 8);
        for (int64_t l = i; eight && l < i + 8; l++)
            if (b.spiked[l]) add_one(b, l);
    }
    for (; i < b.rows; i++)
        if (b.spiked[i]) add_one(b, i);
}

}  // namespace neurorl

#endif
