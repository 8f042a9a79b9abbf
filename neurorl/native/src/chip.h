// Loihi's neurons for nengo-loihi's emulator: backends/loihi/accelerate.py in C.
#ifndef NEURORL_CHIP_H
#define NEURORL_CHIP_H
#include <stdint.h>

namespace neurorl {

struct Compartments {
    int64_t n, has_refractory;
    int32_t *q, *current, *voltage, *ref_count, *spike_count;
    uint8_t *spiked;
    const int32_t *bias, *vmin, *vmax, *vth, *ref;
    const double *current_factor, *voltage_factor;
};

// x as it overflows in a register of *bits* and a sign.
inline int32_t wrap(int32_t x, int bits)
{
    const uint32_t half = 1u << bits;
    return (int32_t)((((uint32_t)x + half) & (2 * half - 1)) - half);
}

inline int32_t decayed(int32_t x, double factor) { return (int32_t)((double)x * factor); }

inline void update(const Compartments &c)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < c.n; i++) {
        const int32_t q = c.q[i] = wrap(c.q[i], 21);
        const int32_t u = c.current[i] = wrap(decayed(c.current[i], c.current_factor[i]) + q, 23);
        int32_t v = decayed(c.voltage[i], c.voltage_factor[i]) + wrap(u + c.bias[i], 23);
        v = v > c.vmin[i] ? v : c.vmin[i];
        v = v < c.vmax[i] ? v : c.vmax[i];
        if (c.has_refractory) v = c.ref_count[i] > 0 ? 0 : v;
        const bool spikes = v > c.vth[i];
        c.voltage[i] = spikes ? 0 : v;
        c.spiked[i] = spikes;
        c.spike_count[i] += spikes;
        if (c.has_refractory) {
            const int32_t left = (spikes ? c.ref[i] : c.ref_count[i]) - 1;
            c.ref_count[i] = left > 0 ? left : 0;
        }
    }
}

// q += the rows of a table whose neurons spike, (width,) each.
inline void add_spiking(
    const uint8_t *spiked, int64_t rows, const int32_t *table, int64_t width, int32_t *q)
{
    for (int64_t i = 0; i < rows; i++) {
        if (!spiked[i]) continue;
        const int32_t *row = table + i * width;
        for (int64_t j = 0; j < width; j++) q[j] = (int32_t)((uint32_t)q[j] + (uint32_t)row[j]);
    }
}

}  // namespace neurorl

#endif
