// Eligibilities and weights of synapses in a row, and how a window's sums change them.
#ifndef NEURORL_SYNAPSES_H
#define NEURORL_SYNAPSES_H
#include <stdint.h>
#include <string.h>
#include "agent.h"
#include "writes.h"

namespace neurorl {

// The memory of n synapses in a row: eligibilities and weights, or e_32 and levels, and who else is
// told of these.
struct Synapses {
    double *e, *w;
    float *e_32;
    int32_t *levels;
    Held held;

    static Synapses of(const Agent &agent, const Projection &p, int64_t k, int64_t synapses)
    {
        const int64_t o = k * synapses;
        return {
            at(p.eligibility, o), at(p.weights, o), at(p.eligibility_32, o), at(p.levels, o),
            Held::of(agent, p, k, synapses)};
    }

    Synapses from(int64_t offset) const
    {
        return {
            at(e, offset), at(w, offset), at(e_32, offset), at(levels, offset), held.from(offset)};
    }
};

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

// Return the factor of a change in units of the weights, which may be infinite.
inline float in_units(const Projection &p, double factor) { return (float)(factor * p.inverse); }

// Update n synapses in a row: e <- keep e + S in float32, and levels of weights by whole steps, as
// neurorl/learning/levels.py says. LATE: use the e of before.
template <bool LATE, class Sum>
inline void change_levels(
    const Change &change, const Projection &p, const Sum *__restrict sum, const Synapses &synapses,
    int64_t n)
{
    const float keep = (float)change.keep, factor = in_units(p, change.factor);
    const int32_t least = (int32_t)p.least, largest = (int32_t)p.largest;
    const double unit = p.unit, sent = p.transmitted_unit;
    float *__restrict e = synapses.e_32;
    int32_t *__restrict levels = synapses.levels;
    double *__restrict in_force = synapses.held.in_force;
    double *__restrict transmits = synapses.held.transmits;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        float remembered = keep * e[j] + as_float(sum[j]);
        remembered = __builtin_fabsf(remembered) < FADED ? 0.0f : remembered;
        const float step = limited(factor * (LATE ? e[j] : remembered));
        int32_t level = levels[j] + (int32_t)__builtin_rintf(step);
        level = level < least ? least : level;
        level = level > largest ? largest : level;
        e[j] = remembered;
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
    double *__restrict in_force = synapses.held.in_force;
    double *__restrict transmits = synapses.held.transmits;
    int32_t *__restrict integers = synapses.held.integers;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        const double remembered = keep * e[j] + as_double(sum[j]);
        double weight = w[j] + factor * (LATE ? e[j] : remembered);
        weight = weight < low ? low : weight;
        weight = weight > high ? high : weight;
        e[j] = remembered;
        w[j] = weight;
        double level = __builtin_rint(weight * inverse);
        level = level < -limit ? -limit : level;
        level = level > limit ? limit : level;
        if (in_force) in_force[j] = level * unit;
        if (transmits) transmits[j] = level * sent;
        if (integers) integers[j] = (int32_t)(level * sent);
    }
}

template <class Sum>
inline void apply(
    const Change &change, const Projection &p, const Sum *sum, const Synapses &synapses, int64_t n)
{
    if (synapses.held.agent->writes != SHADOW)
        write_row(change, p, sum, synapses.e, synapses.w, synapses.held, n);
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

#endif
