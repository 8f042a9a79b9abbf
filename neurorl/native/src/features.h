// Features of observations: models/features in C.
#pragma once

#include "buffers.h"
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

inline double bump(const Part &part, double at, int64_t c)
{
    const double z = (at * (double)(part.cells - 1) - (double)c) / part.width;
    return exp(-0.5 * (z * z));
}

inline void gaussian(const Part &part, const double *in, double *out)
{
    const int64_t cells = part.cells;
    for (int64_t j = 0; j < part.d; j++) {
        const double at = unit(part, in, j);
        if (cells == 1) {
            out[j] = at;
            continue;
        }
        for (int64_t c = 0; c < cells; c++) {
            const double x = bump(part, at, c);
            out[j * cells + c] = x < part.floor ? 0.0 : x;
        }
    }
}

// The product of the dimensions' bumps, built up in place from the last cell to the first.
inline void joint(const Part &part, const double *in, double *out)
{
    static thread_local Numbers bumps;
    bumps.resize(part.cells);
    int64_t n = 1;
    out[0] = 1.0;
    for (int64_t j = 0; j < part.d; j++) {
        const double at = unit(part, in, j);
        for (int64_t c = 0; c < part.cells; c++) bumps[c] = bump(part, at, c);
        for (int64_t i = n - 1; i >= 0; i--) {
            const double before = out[i];
            for (int64_t c = 0; c < part.cells; c++) out[i * part.cells + c] = before * bumps[c];
        }
        n *= part.cells;
    }
    for (int64_t i = 0; i < n; i++) out[i] = out[i] < part.floor ? 0.0 : out[i];
}

inline void tiles(const Part &part, const double *in, double *out)
{
    const int64_t tilings = part.tilings, bins = part.bins;
    memset(out, 0, part.size * sizeof *out);
    for (int64_t k = 0; k < tilings; k++) {
        int64_t index = k * (part.size / tilings);
        for (int64_t j = 0; j < part.d; j++) {
            const double at = unit(part, in, j) * (double)bins + part.offsets[k * part.d + j];
            const int64_t tile = (int64_t)__builtin_floor(at);
            index += (tile < bins ? tile : bins) * part.strides[j];
        }
        out[index] = 1.0;
    }
}

// table: (bins, channels), the code of each bin.
inline void binned(const Part &part, const double *in, double *out)
{
    const int64_t bins = part.bins, channels = part.channels;
    for (int64_t j = 0; j < part.d; j++) {
        const int64_t bin = (int64_t)__builtin_floor(unit(part, in, j) * (double)bins);
        const double *code = part.table + (bin < bins ? bin : bins - 1) * channels;
        memcpy(out + j * channels, code, channels * sizeof *out);
    }
}

// by_dimension: (d, size), so that the sum over dimensions runs along contiguous features.
inline void fourier(const Part &part, const double *in, double *out)
{
    const int64_t n = part.size;
    for (int64_t j = 0; j < part.d; j++) {
        const double at = unit(part, in, j);
        const double *c = part.by_dimension + j * n;
        if (j == 0)
            for (int64_t i = 0; i < n; i++) out[i] = c[i] * at;
        else
            for (int64_t i = 0; i < n; i++) out[i] += c[i] * at;
    }
    for (int64_t i = 0; i < n; i++) out[i] = cospi(out[i]);
}

// Return false if a map has no row for a state; *out* then stays as it was.
inline bool features(const Features &map, const double *in, double *out)
{
    for (int64_t k = 0; k < map.n_parts; k++) {
        const Part &part = map.parts[k];
        int64_t index = 0;
        if (part.kind == ONE_HOT || part.kind == TABLE) {
            index = (int64_t)in[0] - part.start;
            if (index < 0 || index >= part.n_states) return false;
        }
        switch (part.kind) {
        case GIVEN: memcpy(out, in, part.size * sizeof *out); break;
        case ONE_HOT:
            memset(out, 0, part.size * sizeof *out);
            out[index] = 1.0;
            break;
        case TABLE: memcpy(out, part.table + index * part.size, part.size * sizeof *out); break;
        case GAUSSIAN: gaussian(part, in, out); break;
        case JOINT: joint(part, in, out); break;
        case TILES: tiles(part, in, out); break;
        case FOURIER: fourier(part, in, out); break;
        case BINS: binned(part, in, out); break;
        }
        if (part.usual)
            for (int64_t i = 0; i < part.size; i++) out[i] -= part.usual[i];
        in += part.d;
        out += part.size;
    }
    return true;
}

}  // namespace neurorl
