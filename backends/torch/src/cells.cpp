// A population over a window in one pass, forward and back through time; cells.py is the definition.
// In double every bit is the same: compiled without contraction into fused multiply-adds.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

enum Kind { FORCED, HARD, SLOPE, CONCRETE, RELAXED };

// Elements of rows (replica, environment) of a window; the last axis has a stride of 1.
struct Strides {
    int64_t replica, step, environment;
    int64_t at(int64_t r, int64_t t, int64_t b) const
    {
        return r * replica + t * step + b * environment;
    }
};

}  // namespace

extern "C" {

// Null where there is none. Rows without a step are (replica, environment).
struct Cells {
    int64_t n_replicas, n_steps, batch, size;
    int64_t bias_rows;  // 1, or of each replica, or of each row
    int64_t kind, through_reset;
    double temperature;
    const void *current_decay, *membrane_decay, *threshold, *noise_width, *width, *table;
    const void *bias, *u, *v;
    const int16_t *words;
    const void *noise;
    const void *q;
    Strides q_strides, strides;  // the latter of all that follows with steps, and of noise
    void *spikes, *slope, *membrane;
    void *u_after, *v_after;
};

struct Gradients {
    const void *spikes, *membrane;
    Strides spikes_strides, membrane_strides;
    const void *u_after, *v_after;
    void *q, *bias, *u, *v;
};
}

namespace {

inline double exponential(double x) { return std::exp(x); }

// Cephes' polynomial: a relative error below 2e-7, for a compiler to vectorise.
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

template <class R> inline R *of(const void *p) { return (R *)p; }

template <class R> const R *bias_of(const Cells &c, int64_t r, int64_t b)
{
    const int64_t row = c.bias_rows == 1 ? 0 : c.bias_rows == c.n_replicas ? r : r * c.batch + b;
    return of<R>(c.bias) + row * c.size;
}

template <class R> void draw(const Cells &c, int64_t at, R *jitter)
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
}

template <class R, int K> void forward(const Cells &c)
{
    const int64_t n = c.size;
    const R *cd = of<R>(c.current_decay), *md = of<R>(c.membrane_decay);
    const R *threshold = of<R>(c.threshold), *width = of<R>(c.width);
    const R cooler = R(1.0 / c.temperature);
    const bool is_noisy = K != FORCED && (c.words || c.noise);
    const bool has_slope = K > HARD;
    std::vector<R> buffer(5 * n);
    R *u = buffer.data(), *v = u + n, *jitter = v + n, *sharp = jitter + n, *kept = sharp + n;
    for (int64_t i = 0; i < n; i++) sharp[i] = (K == SLOPE ? R(1) : cooler) / width[i];
    for (int64_t r = 0; r < c.n_replicas; r++)
        for (int64_t b = 0; b < c.batch; b++) {
            const int64_t row = (r * c.batch + b) * n;
            const R *bias = bias_of<R>(c, r, b);
            memcpy(u, of<R>(c.u) + row, n * sizeof(R));
            memcpy(v, of<R>(c.v) + row, n * sizeof(R));
            for (int64_t t = 0; t < c.n_steps; t++) {
                const int64_t at = c.strides.at(r, t, b);
                const R *q = of<R>(c.q) + c.q_strides.at(r, t, b);
                R *s = of<R>(c.spikes) + at, *slope = has_slope ? of<R>(c.slope) + at : kept;
                R *membrane = c.membrane ? of<R>(c.membrane) + at : kept;
                if (is_noisy) draw<R>(c, at, jitter);
#pragma GCC ivdep
                for (int64_t i = 0; i < n; i++) {
                    u[i] = cd[i] * u[i] + q[i];
                    const R now = md[i] * v[i] + u[i] + bias[i];
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
                    }
                    v[i] = now * (R(1) - s[i]);
                }
            }
            memcpy(of<R>(c.u_after) + row, u, n * sizeof(R));
            memcpy(of<R>(c.v_after) + row, v, n * sizeof(R));
        }
}

// ``v' = v (1 - s)``, ``s = S(v)``: what comes to v', s and v of a step goes to q, bias and the step
// before. through_reset: also by s to v'.
template <class R> void backward(const Cells &c, const Gradients &g)
{
    const int64_t n = c.size;
    const R *cd = of<R>(c.current_decay), *md = of<R>(c.membrane_decay);
    std::vector<R> buffer(4 * n);
    R *gu = buffer.data(), *gv = gu + n, *zero = gv + n, *nowhere = zero + n;
    for (int64_t r = 0; r < c.n_replicas; r++)
        for (int64_t b = 0; b < c.batch; b++) {
            const int64_t row = (r * c.batch + b) * n;
            const R *ends_u = g.u_after ? of<R>(g.u_after) + row : zero;
            const R *ends_v = g.v_after ? of<R>(g.v_after) + row : zero;
            memcpy(gu, ends_u, n * sizeof(R));
            memcpy(gv, ends_v, n * sizeof(R));
            R *to_bias = nowhere;
            if (g.bias) to_bias = of<R>(g.bias) + (bias_of<R>(c, r, b) - of<R>(c.bias));
            for (int64_t t = c.n_steps - 1; t >= 0; t--) {
                const int64_t at = c.strides.at(r, t, b);
                const R *s = of<R>(c.spikes) + at;
                const R *slope = c.slope ? of<R>(c.slope) + at : zero;
                const R *membrane = c.through_reset ? of<R>(c.membrane) + at : zero;
                const R *gs = g.spikes ? of<R>(g.spikes) + g.spikes_strides.at(r, t, b) : zero;
                const R *gm = zero;
                if (g.membrane) gm = of<R>(g.membrane) + g.membrane_strides.at(r, t, b);
                R *gq = of<R>(g.q) + c.q_strides.at(r, t, b);
#pragma GCC ivdep
                for (int64_t i = 0; i < n; i++) {
                    const R by_spike = (gs[i] - gv[i] * membrane[i]) * slope[i];
                    const R now = gv[i] * (R(1) - s[i]) + by_spike + gm[i];
                    gu[i] += now;
                    gq[i] = gu[i];
                    gv[i] = md[i] * now;
                    to_bias[i] += now;
                    gu[i] *= cd[i];
                }
            }
            memcpy(of<R>(g.u) + row, gu, n * sizeof(R));
            memcpy(of<R>(g.v) + row, gv, n * sizeof(R));
        }
}

template <class R> void forward(const Cells &c)
{
    switch (c.kind) {
    case FORCED: return forward<R, FORCED>(c);
    case HARD: return forward<R, HARD>(c);
    case SLOPE: return forward<R, SLOPE>(c);
    case CONCRETE: return forward<R, CONCRETE>(c);
    case RELAXED: return forward<R, RELAXED>(c);
    }
}

}  // namespace

extern "C" void neurorl_cells_forward(const Cells *c, int is_double)
{
    is_double ? forward<double>(*c) : forward<float>(*c);
}

extern "C" void neurorl_cells_backward(const Cells *c, const Gradients *g, int is_double)
{
    is_double ? backward<double>(*c, *g) : backward<float>(*c, *g);
}
