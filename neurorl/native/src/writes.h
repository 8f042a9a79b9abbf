// Eligibilities and weights of synapses in a row, and how a window's sums change them: also into coarse
// weights without a shadow, neurorl/learning/writes.py in C.
#pragma once

#include "agent.h"
#include "decision.h"

namespace neurorl {

enum WritesKernel { SHADOW, STOCHASTIC, ACCUMULATE, REGISTER };
struct Writes {
    int64_t kernel, every;
};

template <class T> inline T *at(T *array, int64_t offset) { return array ? array + offset : nullptr; }

// How a pass changes eligibilities and weights. is_late: weights first, by the e of before. ends: the
// second change for the last decision of an episode, when that is over.
struct Change {
    double keep, factor;
    bool is_late, ends;
};

// The memory of n synapses in a row: eligibilities and weights, or e_32 and levels; weights in force
// (null where nobody reads them); for schemes without a shadow the accumulators, the mask (null: all
// exist), the replica and the number of the first synapse in its projection.
struct Synapses {
    double *e, *w;
    float *e_32;
    int32_t *levels;
    double *in_force, *transmits;
    int32_t *integers;
    int16_t *shorts;
    double *accumulator;
    const uint8_t *mask;
    const Agent *agent;
    int64_t k, first;

    static Synapses of(const Agent &agent, const Projection &p, int64_t k)
    {
        const Synapses all = {
            p.eligibility, p.weights, p.eligibility_32, p.levels, p.in_force, p.transmitted,
            p.transmitted_integers, p.transmitted_shorts, p.accumulator, nullptr, &agent, k, 0};
        Synapses mine = all.from(k * p.n_synapses);
        mine.mask = p.mask;
        mine.first = 0;
        return mine;
    }

    Synapses from(int64_t offset) const
    {
        return {
            at(e, offset), at(w, offset), at(e_32, offset), at(levels, offset), at(in_force, offset),
            at(transmits, offset), at(integers, offset), at(shorts, offset), at(accumulator, offset),
            at(mask, offset), agent, k, first + offset};
    }
};

// Calls body with the one memory that the simulator reads, or null.
template <class Body> inline void with_transmitted(const Synapses &synapses, const Body &body)
{
    if (synapses.integers) body(synapses.integers);
    else if (synapses.shorts) body(synapses.shorts);
    else body(synapses.transmits);
}

const int64_t CHUNK = 64;  // synapses that draw together
const double STEPS_OF_REGISTER = 64.0;
const int64_t STREAM_END = 0x01000000;  // offset from the streams of writes to those at ends of episodes

// Round x <- floor(x + u). If |x| <= 2**-34 everywhere, no u that can be drawn changes the result.
inline void round_by_draws(
    const Change &change, const Projection &p, const Synapses &synapses, double *x, int64_t n)
{
    double u[CHUNK];
    bool matters = false;
    for (int64_t j = 0; j < n; j++) matters |= __builtin_fabs(x[j]) > 0x1p-34;
    if (matters) {
        const int64_t first = synapses.first, stream = p.stream + (change.ends ? STREAM_END : 0);
        const int64_t decision = synapses.agent->decisions[synapses.k], seed = synapses.agent->seeds[synapses.k];
        for (int64_t j = 0; j < n; j++)
            u[j] = to_unit(neurorl_word(first + j, decision, stream, seed));
    } else {
        for (int64_t j = 0; j < n; j++) u[j] = 0.5;
    }
    for (int64_t j = 0; j < n; j++) x[j] = __builtin_floor(x[j] + u[j]);
}

// Turn changes into the quanta that are written now; return false if there are none.
inline bool quanta(
    const Change &change, const Projection &p, const Synapses &synapses, double *x, int64_t n)
{
    const Agent &agent = *synapses.agent;
    double *a = synapses.accumulator;
    if (agent.writes->kernel == STOCHASTIC) {
        for (int64_t j = 0; j < n; j++) x[j] *= p.inverse;
        round_by_draws(change, p, synapses, x, n);
        return true;
    }
    if (agent.writes->kernel == ACCUMULATE) {
        for (int64_t j = 0; j < n; j++) a[j] += x[j];
        if (change.ends || agent.decisions[synapses.k] % agent.writes->every) return false;
        for (int64_t j = 0; j < n; j++) x[j] = a[j] * p.inverse, a[j] = 0.0;
        round_by_draws(change, p, synapses, x, n);
        return true;
    }
    for (int64_t j = 0; j < n; j++) x[j] = x[j] * p.inverse * STEPS_OF_REGISTER;
    round_by_draws(change, p, synapses, x, n);
    for (int64_t j = 0; j < n; j++) {
        const double r = a[j] + x[j];
        x[j] = __builtin_trunc(r * (1.0 / STEPS_OF_REGISTER));
        a[j] = r - STEPS_OF_REGISTER * x[j];
    }
    return true;
}

// Update n <- clip(n + quanta), and the weight for it.
template <class Sent>
inline void step(
    const Projection &p, const double *quanta, const Synapses &synapses, int64_t n,
    Sent *__restrict transmits)
{
    double *__restrict w = synapses.w;
    double *__restrict in_force = synapses.in_force;
    const double inverse = p.inverse, least = p.least, largest = p.largest;
    const double unit = p.unit, sent = p.transmitted_unit;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; j++) {
        double level = __builtin_rint(w[j] * inverse) + quanta[j];
        level = level < least ? least : level;
        level = level > largest ? largest : level;
        w[j] = level * unit;
        if (in_force) in_force[j] = level * unit;
        if (transmits) transmits[j] = (Sent)(level * sent);
    }
}

// Sums are numbers, or whole units of 2**-20.
inline double as_double(double sum) { return sum; }
inline double as_double(int32_t units) { return (double)units * 0x1p-20; }

// Update n synapses in a row: e <- keep e + S, dw = factor e (the e of before if it is late), written
// by the agent's scheme.
template <class Sum>
inline void write_row(
    const Change &change, const Projection &p, const Sum *sum, const Synapses &synapses, int64_t n)
{
    double dw[CHUNK];
    for (int64_t first = 0; first < n; first += CHUNK) {
        const int64_t width = n - first < CHUNK ? n - first : CHUNK;
        const Synapses here = synapses.from(first);
        for (int64_t j = 0; j < width; j++) {
            const double before = here.e[j];
            const double remembered = change.keep * before + as_double(sum[first + j]);
            here.e[j] = remembered;
            dw[j] = change.factor * (change.is_late ? before : remembered);
            if (here.mask && !here.mask[j]) dw[j] = 0.0;
        }
        if (quanta(change, p, here, dw, width))
            with_transmitted(here, [&](auto *sent) { step(p, dw, here, width, sent); });
    }
}

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

template <class Sum> inline float remembered(float e, double keep, Sum tag)
{
    const float now = (float)keep * e + as_float(tag);
    return __builtin_fabsf(now) < FADED ? 0.0f : now;
}

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
template <bool LATE, class Sum, class Sent>
inline void change_shadow(
    const Change &change, const Projection &p, const Sum *__restrict sum, const Synapses &synapses,
    int64_t n, Sent *__restrict transmits)
{
    const double keep = change.keep, factor = change.factor;
    const double low = p.low, high = p.high, inverse = p.inverse;
    const double limit = p.limit, unit = p.unit, sent = p.transmitted_unit;
    double *__restrict e = synapses.e, *__restrict w = synapses.w;
    double *__restrict in_force = synapses.in_force;
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
        if (transmits) transmits[j] = (Sent)(level * sent);
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
    else
        with_transmitted(synapses, [&](auto *sent) {
            if (change.is_late) change_shadow<true>(change, p, sum, synapses, n, sent);
            else change_shadow<false>(change, p, sum, synapses, n, sent);
        });
}

}  // namespace neurorl
