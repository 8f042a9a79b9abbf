// Runs a population over a window in one pass, forward and back through time. cells.py defines what
// is computed. In double every bit is the same, as this is compiled without contraction into fused
// multiply-adds.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cells.h"

namespace {

// exp(x) to an ulp or two, written so that a compiler vectorises it: exp(r) 2^k with
// |r| < ln 2 / 2, exp(r) by its Taylor series.
inline double exponential(double x)
{
    x = x > -700.0 ? x : -700.0;
    x = x < 700.0 ? x : 700.0;
    const double shift = 6755399441055744.0;  // 1.5 2^52: the last bits of a sum are an integer
    const double shifted = x * 1.4426950408889634 + shift;
    const double k = shifted - shift;
    const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    double y = 1.0 / 6227020800.0;
    y = y * r + 1.0 / 479001600.0;
    y = y * r + 1.0 / 39916800.0;
    y = y * r + 1.0 / 3628800.0;
    y = y * r + 1.0 / 362880.0;
    y = y * r + 1.0 / 40320.0;
    y = y * r + 1.0 / 5040.0;
    y = y * r + 1.0 / 720.0;
    y = y * r + 1.0 / 120.0;
    y = y * r + 1.0 / 24.0;
    y = y * r + 1.0 / 6.0;
    y = y * r + 0.5;
    y = y * r + 1.0;
    y = y * r + 1.0;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}

// exp(x) by Cephes' polynomial, with a relative error below 2e-7; vectorised too.
inline float exponential(float x)
{
    x = x > -87.0f ? x : -87.0f;
    x = x < 87.0f ? x : 87.0f;
    const float k = __builtin_rintf(x * 1.44269504f);
    const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    const int32_t bits = ((int32_t)k + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}

template <class R> inline R sigmoid(R x) { return R(1) / (R(1) + exponential(-x)); }

// The pointer as one to numbers of type R.
template <class R> inline R *of(const void *p) { return (R *)p; }

// The row of biases for an environment of a replica.
template <class R> const R *bias_of(const Cells &c, int64_t r, int64_t b)
{
    const int64_t row = c.bias_rows == 1 ? 0 : c.bias_rows == c.n_replicas ? r : r * c.batch + b;
    return of<R>(c.bias) + row * c.size;
}

// Writes the noise on the membranes of a row; at: its place in the arrays of noise.
template <class R, bool CHIP> void draw(const Cells &c, int64_t at, R *jitter)
{
    const R *w = of<R>(c.noise_width);
    if (c.words) {
        const R *table = of<R>(c.table);
        const int16_t *word = c.words + at;
        for (int64_t i = 0; i < c.size; i++) jitter[i] = w[i] * table[word[i]];
    } else {
        const R *noise = of<R>(c.noise) + at;
        for (int64_t i = 0; i < c.size; i++) jitter[i] = w[i] * noise[i];
    }
    if (CHIP)
        for (int64_t i = 0; i < c.size; i++) jitter[i] = std::floor(jitter[i] + R(0.5));
}

// Returns an integer as it overflows in a register that holds -half to half - 1; half is a power of
// two.
template <class R> inline R wrapped(R x, R half)
{
    x += half;
    return (x - std::floor(x / (R(2) * half)) * (R(2) * half)) - half;
}

// Copies the dead steps of a row from an array of all rows.
template <class R> void copy_blocked(const Cells &c, int64_t row, const void *from, R *to)
{
    const int64_t rows = c.n_replicas * c.batch * c.size;
    for (int64_t k = 0; k < c.longest; k++)
        memcpy(to + k * c.size, of<R>(from) + k * rows + row, c.size * sizeof(R));
}

// Copies the dead steps of a row into an array of all rows.
template <class R> void keep_blocked(const Cells &c, int64_t row, const R *from, void *to)
{
    const int64_t rows = c.n_replicas * c.batch * c.size;
    for (int64_t k = 0; k < c.longest; k++)
        memcpy(of<R>(to) + k * rows + row, from + k * c.size, c.size * sizeof(R));
}

// Moves on by a step, and blocks the steps that are dead after a spike.
template <class R> void block(const Cells &c, const R *s, R *blocked)
{
    const int64_t n = c.size;
    const R *dead = of<R>(c.dead);
    memmove(blocked, blocked + n, (c.longest - 1) * n * sizeof(R));
    memset(blocked + (c.longest - 1) * n, 0, n * sizeof(R));
    for (int64_t k = 0; k < c.longest; k++)
        for (int64_t i = 0; i < n; i++) blocked[k * n + i] += s[i] * dead[k * n + i];
}

// Runs the steps first_step <= t < end_step. What nobody asked to keep goes to rows of `buffer`.
template <class R, int K, bool CHIP, bool DEAD> void forward(const Cells &c)
{
    const int64_t n = c.size;
    const R *cd = of<R>(c.current_decay), *md = of<R>(c.membrane_decay);
    const R *threshold = of<R>(c.threshold), *width = of<R>(c.width);
    const R cooler = R(1.0 / c.temperature);
    const R current_half = R(c.current_half), state_half = R(c.state_half);
    const R voltage_max = R(c.voltage_max);
    const bool is_noisy = K != FORCED && (c.words || c.noise);
    const bool has_slope = K > HARD;
    std::vector<R> buffer((9 + c.longest) * n);
    R *u = buffer.data(), *v = u + n, *jitter = v + n, *sharp = jitter + n, *kept = sharp + n;
    R *awake = kept + n, *wishes = awake + n, *driven = wishes + n, *within = driven + n;
    R *blocked = within + n;
    for (int64_t i = 0; i < n; i++) sharp[i] = (K == SLOPE ? R(1) : cooler) / width[i];
    for (int64_t r = 0; r < c.n_replicas; r++)
        for (int64_t b = 0; b < c.batch; b++) {
            const int64_t row = (r * c.batch + b) * n;
            const R *bias = bias_of<R>(c, r, b);
            memcpy(u, of<R>(c.u) + row, n * sizeof(R));
            memcpy(v, of<R>(c.v) + row, n * sizeof(R));
            if (DEAD) copy_blocked(c, row, c.blocked, blocked);
            for (int64_t t = c.first_step; t < c.end_step; t++) {
                const int64_t at = c.strides.at(r, t, b);
                const R *q = of<R>(c.q) + c.q_strides.at(r, t, b);
                R *s = of<R>(c.spikes) + at, *slope = has_slope ? of<R>(c.slope) + at : kept;
                R *membrane = c.membrane ? of<R>(c.membrane) + at : kept;
                R *alive = c.alive ? of<R>(c.alive) + at : awake;
                R *wish = c.wish ? of<R>(c.wish) + at : wishes;
                R *drive = c.drive ? of<R>(c.drive) + at : driven;
                R *inside = c.inside ? of<R>(c.inside) + at : within;
                if (is_noisy) draw<R, CHIP>(c, at, jitter);
#pragma GCC ivdep
                for (int64_t i = 0; i < n; i++) {
                    R now;
                    if (CHIP) {
                        u[i] = std::trunc(cd[i] * u[i]) + wrapped(q[i], current_half);
                        u[i] = wrapped(u[i], state_half);
                        now = std::trunc(md[i] * v[i]) + wrapped(u[i] + bias[i], state_half);
                        inside[i] = std::fabs(now) <= voltage_max ? R(1) : R(0);
                        now = now > voltage_max ? voltage_max : now;
                        now = now < -voltage_max ? -voltage_max : now;
                    } else {
                        u[i] = cd[i] * u[i] + q[i];
                        now = md[i] * v[i] + u[i] + bias[i];
                    }
                    if (DEAD) {
                        alive[i] = R(1) - blocked[i];
                        drive[i] = now;
                        now *= alive[i];
                    }
                    membrane[i] = now;
                    if (K != FORCED) {
                        const R margin = (now + jitter[i]) - threshold[i];
                        s[i] = margin > R(0) ? R(1) : R(0);
                        if (K > HARD) {
                            const R x = K == SLOPE ? now - threshold[i] : margin;
                            const R p = sigmoid(x * sharp[i]);
                            slope[i] = p * (R(1) - p) * sharp[i];
                            if (K == RELAXED) s[i] = p;
                        }
                        if (DEAD) {
                            wish[i] = s[i];
                            s[i] *= alive[i];
                        }
                    }
                    v[i] = now * (R(1) - s[i]);
                }
                if (DEAD) block(c, s, blocked);
            }
            memcpy(of<R>(c.u_after) + row, u, n * sizeof(R));
            memcpy(of<R>(c.v_after) + row, v, n * sizeof(R));
            if (DEAD) keep_blocked(c, row, blocked, c.blocked_after);
        }
}

// Runs the steps end_step > t >= first_step backwards. With v' = v (1 - s) and s = S(v), gradients
// by v', s and v of a step go to q, bias and the step before; with through_reset also from v' to s.
// LIMITED: there are dead steps, or the chip's range of voltages.
template <class R, bool LIMITED> void backward(const Cells &c, const Gradients &g)
{
    const int64_t n = c.size;
    const R *cd = of<R>(c.current_decay), *md = of<R>(c.membrane_decay), *dead = of<R>(c.dead);
    const bool through_dead = LIMITED && c.drive;
    std::vector<R> buffer((7 + c.longest) * n);
    R *gu = buffer.data(), *gv = gu + n, *zero = gv + n, *nowhere = zero + n;
    R *one = nowhere + n, *to_spike = one + n, *to_alive = to_spike + n, *blocked = to_alive + n;
    for (int64_t i = 0; i < n; i++) one[i] = R(1);
    for (int64_t r = 0; r < c.n_replicas; r++)
        for (int64_t b = 0; b < c.batch; b++) {
            const int64_t row = (r * c.batch + b) * n;
            const R *ends_u = g.u_after ? of<R>(g.u_after) + row : zero;
            const R *ends_v = g.v_after ? of<R>(g.v_after) + row : zero;
            memcpy(gu, ends_u, n * sizeof(R));
            memcpy(gv, ends_v, n * sizeof(R));
            if (through_dead) {
                memset(blocked, 0, c.longest * n * sizeof(R));
                if (g.blocked_after) copy_blocked(c, row, g.blocked_after, blocked);
            }
            R *to_bias = nowhere;
            if (g.bias) to_bias = of<R>(g.bias) + (bias_of<R>(c, r, b) - of<R>(c.bias));
            for (int64_t t = c.end_step - 1; t >= c.first_step; t--) {
                const int64_t at = c.strides.at(r, t, b);
                const R *s = of<R>(c.spikes) + at;
                const R *slope = c.slope ? of<R>(c.slope) + at : zero;
                const R *membrane = c.through_reset ? of<R>(c.membrane) + at : zero;
                const R *gs = g.spikes ? of<R>(g.spikes) + g.spikes_strides.at(r, t, b) : zero;
                const R *gm = zero;
                if (g.membrane) gm = of<R>(g.membrane) + g.membrane_strides.at(r, t, b);
                R *gq = of<R>(g.q) + c.q_strides.at(r, t, b);
                const R *alive = c.alive ? of<R>(c.alive) + at : one;
                const R *inside = c.inside ? of<R>(c.inside) + at : one;
                const R *wish = through_dead ? of<R>(c.wish) + at : zero;
                const R *drive = through_dead ? of<R>(c.drive) + at : zero;
                if (through_dead) {
                    memcpy(to_spike, gs, n * sizeof(R));
                    for (int64_t k = 0; k < c.longest; k++)
                        for (int64_t i = 0; i < n; i++)
                            to_spike[i] += blocked[k * n + i] * dead[k * n + i];
                    gs = to_spike;
                }
#pragma GCC ivdep
                for (int64_t i = 0; i < n; i++) {
                    const R spike = gs[i] - gv[i] * membrane[i];
                    const R by_spike = (LIMITED ? spike * alive[i] : spike) * slope[i];
                    R now = gv[i] * (R(1) - s[i]) + by_spike + gm[i];
                    if (LIMITED) {
                        to_alive[i] = spike * wish[i] + now * drive[i];
                        now *= alive[i] * inside[i];
                    }
                    gu[i] += now;
                    gq[i] = gu[i];
                    gv[i] = md[i] * now;
                    to_bias[i] += now;
                    gu[i] *= cd[i];
                }
                if (through_dead) {
                    memmove(blocked + n, blocked, (c.longest - 1) * n * sizeof(R));
                    for (int64_t i = 0; i < n; i++) blocked[i] = -to_alive[i];
                }
            }
            memcpy(of<R>(g.u) + row, gu, n * sizeof(R));
            memcpy(of<R>(g.v) + row, gv, n * sizeof(R));
            if (through_dead) keep_blocked(c, row, blocked, g.blocked);
        }
}

template <class R, bool CHIP, bool DEAD> void forward(const Cells &c)
{
    switch (c.kind) {
    case FORCED: return forward<R, FORCED, CHIP, DEAD>(c);
    case HARD: return forward<R, HARD, CHIP, DEAD>(c);
    case SLOPE: return forward<R, SLOPE, CHIP, DEAD>(c);
    case CONCRETE: return forward<R, CONCRETE, CHIP, DEAD>(c);
    case RELAXED: return forward<R, RELAXED, CHIP, DEAD>(c);
    }
}

template <class R, bool CHIP> void forward(const Cells &c)
{
    c.longest ? forward<R, CHIP, true>(c) : forward<R, CHIP, false>(c);
}

template <class R> void backward(const Cells &c, const Gradients &g)
{
    c.longest || c.inside ? backward<R, true>(c, g) : backward<R, false>(c, g);
}

}  // namespace

extern "C" void neurorl_cells_forward(const Cells *c, int is_double)
{
    if (c->is_chip) return forward<double, true>(*c);
    is_double ? forward<double, false>(*c) : forward<float, false>(*c);
}

extern "C" void neurorl_cells_backward(const Cells *c, const Gradients *g, int is_double)
{
    is_double ? backward<double>(*c, *g) : backward<float>(*c, *g);
}
