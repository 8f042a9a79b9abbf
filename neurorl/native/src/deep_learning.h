// Learn hidden layers that serve all actions: neurorl/learning/deep/rule.py in C++, the same
// operations in the same order; float is rounded at each of them.
#pragma once

#include "critic.h"
#include "deep_window.h"

namespace neurorl {

// The constants of one pass over synapses, each as it is rounded.
struct Pass {
    float delta, keep, eta, share, rest, correction, floor, limit, bound;
};

// Take the signal g of a synapse into its mean square h, and return the change of its weight.
template <int KERNEL> inline float change_of(const Pass &pass, float g, float &h)
{
    float step = g;
    if (KERNEL == ROOT_MEAN_SQUARE) {
        h = pass.share * h + (pass.rest * g) * g;
        step = g / __builtin_sqrtf(h * pass.correction + pass.floor);
    }
    if (KERNEL == BOUNDED) {
        step = step > -pass.limit ? step : -pass.limit;
        step = step < pass.limit ? step : pass.limit;
    }
    return pass.eta * step;
}

inline float within(float w, float bound)
{
    w = w > -bound ? w : -bound;
    return w < bound ? w : bound;
}

// Remember and learn a row: x is what its input said, extra what is added to g for each unit of it.
// pass is a copy, as floats that are written might lie in the caller's.
template <int KERNEL, bool SAID, bool EXTRA, bool FEEDBACK>
inline void learn_row(
    const Pass pass, int64_t n, float x, const float *__restrict f, const float *__restrict extra,
    float *__restrict e, float *__restrict h, float *__restrict w, float *__restrict b)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float trace = pass.keep * e[i];
        if (SAID) trace = trace + x * f[i];
        e[i] = trace;
        float g = pass.delta * trace;
        if (SAID && EXTRA) g = g + x * extra[i];
        const float change = change_of<KERNEL>(pass, g, h[i]);
        w[i] = within(w[i] + change, pass.bound);
        if (FEEDBACK) b[i] = b[i] + change;
    }
}

template <int KERNEL, bool FEEDBACK>
inline void learn_row_by(
    const Pass &pass, int64_t n, float x, const float *f, const float *extra, float *e, float *h,
    float *w, float *b)
{
    if (x == 0.0f)
        learn_row<KERNEL, false, false, FEEDBACK>(pass, n, x, f, extra, e, h, w, b);
    else if (extra)
        learn_row<KERNEL, true, true, FEEDBACK>(pass, n, x, f, extra, e, h, w, b);
    else
        learn_row<KERNEL, true, false, FEEDBACK>(pass, n, x, f, extra, e, h, w, b);
}

// Sum what each number of all patches said, in the order of their positions, and note which spoke.
// Inputs that speak are visited in their order, in which those of one number have rising positions.
inline void sum_patches(
    const DeepPatches &patches, const float *x, const float *f, const float *extra,
    float *__restrict sum, float *__restrict added, float *__restrict spoke)
{
    const int64_t n = patches.filters;
    memset(sum, 0, patches.n_seen * n * sizeof *sum);
    memset(added, 0, patches.n_seen * n * sizeof *added);
    memset(spoke, 0, patches.n_seen * sizeof *spoke);
    for (int64_t input = 0; input < patches.n_inputs; input++) {
        if (x[input] == 0.0f) continue;
        for (int64_t b = patches.start[input]; b < patches.start[input + 1]; b++) {
            const int64_t row = patches.rows[b] * n, from = patches.positions_of[b] * n;
            spoke[patches.rows[b]] = 1.0f;
            for (int64_t i = 0; i < n; i++) sum[row + i] += x[input] * f[from + i];
            if (extra)
                for (int64_t i = 0; i < n; i++) added[row + i] += x[input] * extra[from + i];
        }
    }
}

// Sum what all positions said to the bias that they share.
inline void sum_positions(
    const DeepPatches &patches, const float *f, const float *extra, float *__restrict sum,
    float *__restrict added)
{
    const int64_t n = patches.filters;
    for (int64_t i = 0; i < n; i++) sum[i] = added[i] = 0.0f;
    for (int64_t p = 0; p < patches.positions; p++) {
        for (int64_t i = 0; i < n; i++) sum[i] += f[p * n + i];
        if (extra)
            for (int64_t i = 0; i < n; i++) added[i] += extra[p * n + i];
    }
}

typedef std::vector<float, OnLines<float>> Floats;

// Do as learn_row for all rows together, given x, f, extra and whether it lives of each synapse:
// a row of few columns costs more than these.
template <int KERNEL, bool EXTRA, bool FEEDBACK>
inline void learn_narrow(
    const Pass pass, int64_t n, const float *__restrict live, const float *__restrict x,
    const float *__restrict f, const float *__restrict extra, float *__restrict e,
    float *__restrict h, float *__restrict w, float *__restrict b)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const bool lives = live[i] != 0.0f, said = x[i] != 0.0f;
        const float kept = pass.keep * e[i], trace = said ? kept + x[i] * f[i] : kept;
        float g = pass.delta * trace, square = h[i];
        if (EXTRA) g = said ? g + x[i] * extra[i] : g;
        const float change = change_of<KERNEL>(pass, g, square);
        const float weight = within(w[i] + change, pass.bound);
        e[i] = lives ? trace : e[i];
        h[i] = lives ? square : h[i];
        w[i] = lives ? weight : w[i];
        if (FEEDBACK) b[i] = lives ? b[i] + change : b[i];
    }
}

// Let rows of replica k wake and fall silent. Return how many live, and write their numbers.
template <int KERNEL>
inline int64_t living_rows(
    const DeepSynapses &s, int64_t k, const float *x, int64_t decisions, double log_keep,
    int64_t *rows)
{
    static thread_local std::vector<uint8_t> heeded;
    const int64_t n = s.n_post, n_pre = s.n_pre, first = k * n_pre;
    int64_t *age = s.age + first, count = 0;
    uint8_t *live = s.live + first;
    heeded.resize(n_pre + 8);
    uint8_t *__restrict heed = heeded.data();
    for (int64_t j = 0; j < n_pre; j++) heed[j] = (uint8_t)(x[j] != 0.0f) | live[j];
    memset(heed + n_pre, 0, 8);
    for (int64_t j = 0; j < n_pre; j++) age[j] = x[j] != 0.0f ? 0 : age[j] + 1;
    for (int64_t eighth = 0; eighth < n_pre; eighth += 8) {
        uint64_t bytes;
        memcpy(&bytes, heed + eighth, 8);
        if (!bytes) continue;
        for (int64_t j = eighth; j < eighth + 8; j++) {
            if (!heed[j]) continue;
            const int64_t row = first + j, at = row * n;
            if (!live[j]) {
                if (KERNEL == ROOT_MEAN_SQUARE) {
                    const float left = (float)exp((double)(decisions - s.last[row]) * log_keep);
                    float *h = s.h + at;
                    for (int64_t i = 0; i < n; i++) h[i] = h[i] * left;
                }
                live[j] = 1;
            } else if (age[j] > s.longest) {
                for (int64_t i = 0; i < n; i++) s.trace[at + i] = 0.0f;
                live[j] = 0;
                continue;
            }
            s.last[row] = decisions + 1;
            rows[count++] = j;
        }
    }
    return count;
}

const int64_t NARROW = 8;  // columns

template <int KERNEL>
inline void learn_rows(
    const Pass &pass, const DeepSynapses &s, const DeepPatches *patches, int64_t k, const float *x,
    const float *f, const float *extra, int64_t decisions, double log_keep)
{
    static thread_local std::vector<int64_t> rows;
    static thread_local Floats buffer, summed;
    const int64_t n = s.n_post, n_pre = s.n_pre, first = k * n_pre, all = n_pre * n;
    rows.resize(n_pre);
    if (patches) {
        summed.resize(2 * all + n_pre);
        float *sum = summed.data(), *spoke = sum + 2 * all;
        if (x)
            sum_patches(*patches, x, f, extra, sum, sum + all, spoke);
        else
            sum_positions(*patches, f, extra, sum, sum + all), *spoke = 1.0f;
        x = spoke;
    }
    const int64_t count = living_rows<KERNEL>(s, k, x, decisions, log_keep, rows.data());
    if (!patches && (n > NARROW || n_pre == 1)) {
        for (int64_t m = 0; m < count; m++) {
            const int64_t j = rows[m], at = (first + j) * n;
            float *e = s.trace + at, *h = s.h + at, *w = s.weights + at;
            if (s.feedback_learns)
                learn_row_by<KERNEL, true>(pass, n, x[j], f, extra, e, h, w, s.feedback + at);
            else
                learn_row_by<KERNEL, false>(pass, n, x[j], f, extra, e, h, w, nullptr);
            if (s.stale)
                s.stale[first + j] = 1;
            else
                transmit(s, at, n);
        }
        return;
    }
    buffer.resize(4 * all);
    float *live = buffer.data(), *said = live + all, *each = said + all, *added = each + all;
    for (int64_t j = 0, at = 0; j < n_pre; j++)
        for (int64_t i = 0; i < n; i++, at++) {
            live[at] = s.live[first + j];
            said[at] = x[j];
            each[at] = patches ? summed[at] : f[i];
            added[at] = !extra ? 0.0f : patches ? summed[all + at] : extra[i];
        }
    const int64_t at = first * n;
    float *e = s.trace + at, *h = s.h + at, *w = s.weights + at, *b = s.feedback + at;
    if (extra && s.feedback_learns)
        learn_narrow<KERNEL, true, true>(pass, all, live, said, each, added, e, h, w, b);
    else if (extra)
        learn_narrow<KERNEL, true, false>(pass, all, live, said, each, added, e, h, w, b);
    else if (s.feedback_learns)
        learn_narrow<KERNEL, false, true>(pass, all, live, said, each, added, e, h, w, b);
    else
        learn_narrow<KERNEL, false, false>(pass, all, live, said, each, added, e, h, w, b);
    transmit(s, at, all);
}

inline void learn_synapses(
    const Deep &deep, const DeepLayer &layer, const DeepSynapses &s, int64_t k, const float *x,
    const float *f, const float *extra, float delta, float keep)
{
    const StepSize &size = *deep.step_size;
    const int64_t decisions = deep.learned[k];
    Pass pass = {
        delta, keep, (float)(layer.alpha * deep.agent->rate[k]), (float)size.keep,
        (float)(1.0 - size.keep), 0.0f, (float)size.floor, (float)size.limit, (float)s.bound};
    if (pass.eta == 0.0f) return;
    if (size.kernel == ROOT_MEAN_SQUARE) {
        pass.correction = (float)(1.0 / (1.0 - exp(((double)decisions + 1.0) * size.log_keep)));
        learn_rows<ROOT_MEAN_SQUARE>(pass, s, layer.patches, k, x, f, extra, decisions, size.log_keep);
    } else if (size.kernel == BOUNDED) {
        learn_rows<BOUNDED>(pass, s, layer.patches, k, x, f, extra, decisions, 0.0);
    } else {
        learn_rows<PLAIN>(pass, s, layer.patches, k, x, f, extra, decisions, 0.0);
    }
}

// Sum what 8 neurons hear, in the order of m signals; 8 sums at once, as each waits for itself.
inline Octet hear_8(const float *heard, const float *signals, int64_t m)
{
    Octet total = {}, row[8];
    int64_t j = 0;
    for (; j + 8 <= m; j += 8) {
        for (int r = 0; r < 8; r++) memcpy(&row[r], heard + r * m + j, sizeof row[r]);
        transpose(row);
        for (int c = 0; c < 8; c++) total = total + row[c] * signals[j + c];
    }
    for (; j < m; j++)
        for (int r = 0; r < 8; r++) total[r] = total[r] + heard[r * m + j] * signals[j];
    return total;
}

// Sum what each of n neurons hears, in the order of m signals.
inline void hear(const float *heard, const float *signals, int64_t n, int64_t m, float *out)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const Octet sums = hear_8(heard + i * m, signals, m);
        memcpy(out + i, &sums, sizeof sums);
    }
    for (; i < n; i++) {
        out[i] = 0.0f;
        for (int64_t j = 0; j < m; j++) out[i] = out[i] + heard[i * m + j] * signals[j];
    }
}

// Find a hidden layer's post factors from those of the layer above, and what centring adds to g.
inline void post_factors(
    const Deep &deep, const DeepLayer &layer, const DeepLayer &above, int64_t k, const float *signals,
    float keep, float delta, float *f, float *extra)
{
    const int64_t n = layer.size, m = above.size;
    const float *heard = layer.feedback_is_forward ? above.below.weights : above.below.feedback;
    heard += k * n * m;
    const float *u = layer.u + k * n, *slope = layer.slope + k * n, *inverse = layer.inverse + k * n;
    hear(heard, signals, n, m, f);
    for (int64_t i = 0; i < n; i++) f[i] = f[i] * slope[i];
    if (deep.normalisation->kernel == POOL) {
        float middle = f[0], tilt = f[0] * u[0];  // side by side, as each waits for itself
        for (int64_t i = 1; i < n; i++) {
            middle += f[i];
            tilt += f[i] * u[i];
        }
        middle /= (float)n;
        tilt /= (float)n;
        for (int64_t i = 0; i < n; i++) f[i] = (f[i] - middle) - u[i] * tilt;
    }
    if (deep.centring != 0.0) {
        const float rate = (float)deep.centring;
        float *a = layer.a + k * n, *c = layer.c + k * n;
        float *alpha = layer.alpha_mean + k * n, *kappa = layer.kappa + k * n;
        for (int64_t i = 0; i < n; i++) {
            a[i] = keep * a[i] + f[i];
            c[i] = keep * c[i] + f[i] * u[i];
            alpha[i] += rate * (delta * a[i] - alpha[i]);
            kappa[i] += rate * (delta * c[i] - kappa[i]);
            extra[i] = -((alpha[i] + kappa[i] * u[i]) * inverse[i]);
        }
    }
    for (int64_t i = 0; i < n; i++) f[i] = f[i] * inverse[i];
}

// Learn from the last decision of replica k; ahead: the discounted value of what came of it.
inline bool learn_from(const Deep &deep, int64_t k, double ahead)
{
    static thread_local Floats buffer;
    const Agent &agent = *deep.agent;
    const double error = deep.reward[k] + ahead - deep.before[k];
    if (!is_finite(error)) return false;
    const float delta = (float)clipped(agent, error), one = 1.0f;
    for (int64_t h = 0; h < deep.n_halves; h++) {
        const Half &half = deep.halves[h];
        const float keep = (float)half.keep;
        const float *signals = half.is_actor ? deep.scores + k * agent.n_actions : &one;
        const float *extra = half.is_actor ? deep.pull + k * agent.n_actions : nullptr;
        buffer.resize(2 * deep.n_hidden + 2);
        float *f = buffer.data();
        // All factors come before any weight changes, from the readout down.
        std::vector<std::pair<const float *, const float *>> changes;
        changes.push_back({signals, extra});
        for (int64_t l = half.n_layers - 2; l >= 0; l--) {
            const DeepLayer &layer = half.layers[l];
            float *own = f, *added = f + layer.size;
            post_factors(deep, layer, half.layers[l + 1], k, signals, keep, delta, own, added);
            changes.push_back({own, deep.centring != 0.0 ? added : nullptr});
            signals = own;
            f += 2 * layer.size;
        }
        for (size_t c = 0; c < changes.size(); c++) {
            const DeepLayer &layer = half.layers[half.n_layers - 1 - (int64_t)c];
            const float *x = layer.x + k * layer.n_x;
            const float *ones = layer.patches ? nullptr : &one;
            learn_synapses(deep, layer, layer.below, k, x, changes[c].first, changes[c].second, delta, keep);
            learn_synapses(deep, layer, layer.bias, k, ones, changes[c].first, changes[c].second, delta, keep);
        }
    }
    deep.learned[k]++;
    return true;
}

// Divide the reward of replica k by the running deviation of discounted returns. Return false if that
// is infinite, as later rewards would be divided by it.
inline bool hear_reward(const Deep &deep, int64_t k)
{
    if (!deep.scales_rewards) return true;
    double *returns = deep.returns + 3 * k, &now = deep.discounted[k], reward = deep.reward[k];
    now = now * deep.agent->gamma + reward;
    const double count = returns[2] + 1.0, off = now - returns[0];
    const double mean = returns[0] + off / count, square = returns[1] + off * (now - mean);
    if (!is_finite(square)) return false;
    returns[0] = mean;
    returns[1] = square;
    returns[2] = count;
    const double variance = count > 1.0 ? square / (count - 1.0) : 0.0;
    if (variance > 1e-8 * least(mean * mean, 1.0)) deep.reward[k] = reward / __builtin_sqrt(variance);
    return true;
}

}  // namespace neurorl
