// Eligibilities and weights of synapses in a row, and how a window's sums change them.
#pragma once

#include <stdint.h>
#include <string.h>
#include "agent.h"
#include "writes.h"

namespace neurorl {

const float FADED = 0x1p-60f, LARGEST_STEP = 0x1p29f;

// Return x within +-LARGEST_STEP. Compilers make three vector operations of this, and many of
// comparisons.
inline float limited(float x)
{
    const float largest = LARGEST_STEP;
    uint32_t bits, most;
    memcpy(&bits, &x, sizeof bits);
    memcpy(&most, &largest, sizeof most);
    uint32_t size = bits & 0x7fffffffu;
    size = size < most ? size : most;
    bits = (bits & 0x80000000u) | size;
    memcpy(&x, &bits, sizeof x);
    return x;
}

inline float as_float(double sum) { return (float)sum; }
inline float as_float(int32_t units) { return (float)units * 0x1p-20f; }

inline float remembered(float e, double keep, float tag)
{
    const float now = (float)keep * e + tag;
    return __builtin_fabsf(now) < FADED ? 0.0f : now;
}

inline float remembered(float e, double keep, double tag) { return remembered(e, keep, as_float(tag)); }
inline float remembered(float e, double keep, int32_t tag) { return remembered(e, keep, as_float(tag)); }
template <class Sum> inline double remembered(double e, double keep, Sum tag)
{
    return keep * e + as_double(tag);
}

// Update e <- keep e + S of n synapses, which are at *numbers*, or in a row if it is null.
template <class Number, class Sum>
inline void remember(
    double keep, const Sum *__restrict sum, Number *__restrict e, const int64_t *numbers, int64_t n)
{
    if (numbers) {
        for (int64_t s = 0; s < n; s++) e[numbers[s]] = remembered(e[numbers[s]], keep, sum[s]);
        return;
    }
#pragma GCC ivdep
    for (int64_t s = 0; s < n; s++) e[s] = remembered(e[s], keep, sum[s]);
}

// Return the factor of a change in units of the weights, which may be infinite.
inline float in_units(const Projection &p, double factor) { return (float)(factor * p.inverse); }

// Update n synapses in a row: e <- keep e + S in float32, and levels of weights by whole steps, as
// neurorl/learning/levels.py says. LATE: use the e of before.
template <bool LATE, class Sum>
inline void change_levels(
    const Change &change, const Projection &p, const Sum *__restrict sum, const Synapses &synapses,
    int64_t n)
{
    const double keep = change.keep;
    const float factor = in_units(p, change.factor);
    const int32_t least = (int32_t)p.least, largest = (int32_t)p.largest;
    const double unit = p.unit, sent = p.transmitted_unit;
    float *__restrict e = synapses.e_32;
    int32_t *__restrict levels = synapses.levels;
    double *__restrict in_force = synapses.in_force;
    double *__restrict transmits = synapses.transmits;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const float now = remembered(e[j], keep, sum[j]);
        const float step = limited(factor * (LATE ? e[j] : now));
        int32_t level = levels[j] + (int32_t)__builtin_rintf(step);
        level = level < least ? least : level;
        level = level > largest ? largest : level;
        e[j] = now;
        levels[j] = level;
        if (in_force) in_force[j] = (double)level * unit;
        if (transmits) transmits[j] = (double)level * sent;
    }
}

// Update n synapses in a row: e <- keep e + S, w <- clip(w + factor e), and the weight in force, which
// is a rounded copy. LATE: use the e of before.
template <bool LATE, class Sum>
inline void change_shadow(
    const Change &change, const Projection &p, const Sum *__restrict sum, const Synapses &synapses,
    int64_t n)
{
    const double keep = change.keep, factor = change.factor;
    const double low = p.low, high = p.high, inverse = p.inverse;
    const double limit = p.limit, unit = p.unit, sent = p.transmitted_unit;
    double *__restrict e = synapses.e, *__restrict w = synapses.w;
    double *__restrict in_force = synapses.in_force;
    double *__restrict transmits = synapses.transmits;
    int32_t *__restrict integers = synapses.integers;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const double now = remembered(e[j], keep, sum[j]);
        double weight = w[j] + factor * (LATE ? e[j] : now);
        weight = weight < low ? low : weight;
        weight = weight > high ? high : weight;
        e[j] = now;
        w[j] = weight;
        double level = __builtin_rint(weight * inverse);
        level = level < -limit ? -limit : level;
        level = level > limit ? limit : level;
        if (in_force) in_force[j] = level * unit;
        if (transmits) transmits[j] = level * sent;
        if (integers) integers[j] = (int32_t)(level * sent);
    }
}

// numbers: where the synapses are among *synapses*, null if they follow each other.
template <class Sum>
inline void apply(
    const Change &change, const Projection &p, const Sum *sum, const Synapses &synapses, int64_t n,
    const int64_t *numbers = nullptr)
{
    if (!synapses.levels && !synapses.w) {
        if (synapses.e_32) remember(change.keep, sum, synapses.e_32, numbers, n);
        else remember(change.keep, sum, synapses.e, numbers, n);
    } else if (numbers) {
        for (int64_t s = 0; s < n; s++) apply(change, p, sum + s, synapses.from(numbers[s]), 1);
    } else if (synapses.agent->writes->kernel != SHADOW)
        write_row(change, p, sum, synapses, n);
    else if (p.is_fine && change.is_late)
        change_levels<true>(change, p, sum, synapses, n);
    else if (p.is_fine)
        change_levels<false>(change, p, sum, synapses, n);
    else if (change.is_late)
        change_shadow<true>(change, p, sum, synapses, n);
    else
        change_shadow<false>(change, p, sum, synapses, n);
}

}  // namespace neurorl
