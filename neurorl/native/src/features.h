// neurorl/features.py in C.
#ifndef NEURORL_FEATURES_H
#define NEURORL_FEATURES_H
#include "agent.h"
#include "elementary.h"

namespace neurorl {

inline double unit(const Part &part, const double *in, int64_t j)
{
    double scaled = (in[j] - part.low[j]) * part.gain[j];
    if (part.squashed[j]) scaled = 0.5 + 0.5 * in[j] / (1.0 + __builtin_fabs(in[j]));
    scaled = scaled > 0.0 ? scaled : 0.0;
    return scaled < 1.0 ? scaled : 1.0;
}

inline void gaussian(const Part &part, const double *in, double *out)
{
    const int64_t cells = part.a;
    for (int64_t j = 0; j < part.d; j++) {
        const double at = unit(part, in, j);
        if (cells == 1) {
            out[j] = at;
            continue;
        }
        for (int64_t c = 0; c < cells; c++) {
            const double z = (at * (double)(cells - 1) - (double)c) / part.width;
            const double x = exp(-0.5 * (z * z));
            out[j * cells + c] = x < part.floor ? 0.0 : x;
        }
    }
}

inline void tiles(const Part &part, const double *in, double *out)
{
    const int64_t tilings = part.a, bins = part.b;
    memset(out, 0, part.size * sizeof *out);
    for (int64_t k = 0; k < tilings; k++) {
        int64_t index = k * (part.size / tilings);
        for (int64_t j = 0; j < part.d; j++) {
            const double at = unit(part, in, j) * (double)bins + part.table[k * part.d + j];
            const int64_t tile = (int64_t)__builtin_floor(at);
            index += (tile < bins ? tile : bins) * part.whole[j];
        }
        out[index] = 1.0;
    }
}

// table: (d, size), so that the sum over dimensions runs along contiguous features.
inline void fourier(const Part &part, const double *in, double *out)
{
    const int64_t n = part.size;
    for (int64_t j = 0; j < part.d; j++) {
        const double at = unit(part, in, j);
        const double *c = part.table + j * n;
        if (j == 0)
            for (int64_t i = 0; i < n; i++) out[i] = c[i] * at;
        else
            for (int64_t i = 0; i < n; i++) out[i] += c[i] * at;
    }
    for (int64_t i = 0; i < n; i++) out[i] = cospi(out[i]);
}

// False if a state is not one of those that a map has a row for; out is then as it was.
inline bool features(const Features &map, const double *in, double *out)
{
    for (int64_t k = 0; k < map.n_parts; k++) {
        const Part &part = map.parts[k];
        int64_t index = 0;
        if (part.kind == ONE_HOT || part.kind == TABLE) {
            index = (int64_t)in[0] - part.a;
            if (index < 0 || index >= part.b) return false;
        }
        switch (part.kind) {
        case GIVEN: memcpy(out, in, part.size * sizeof *out); break;
        case ONE_HOT:
            memset(out, 0, part.size * sizeof *out);
            out[index] = 1.0;
            break;
        case TABLE: memcpy(out, part.table + index * part.size, part.size * sizeof *out); break;
        case GAUSSIAN: gaussian(part, in, out); break;
        case TILES: tiles(part, in, out); break;
        case FOURIER: fourier(part, in, out); break;
        }
        in += part.d;
        out += part.size;
    }
    return true;
}

}  // namespace neurorl

#endif
