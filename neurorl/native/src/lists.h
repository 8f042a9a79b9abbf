// Learning by the synapses of a list, of one delay, in the order of their presynaptic neurons.
#pragma once

#include "factors.h"
#include "spikes.h"
#include "traces.h"
#include "writes.h"

namespace neurorl {

const double GRID = 0x1p20;
const int64_t WIDTH = 64;  // presynaptic neurons side by side: a line of the raster
const int64_t AHEAD = 8;   // neurons whose synapses are fetched before they are needed
const uint16_t MORE = 0x8000;

// The spikes of each postsynaptic neuron: most have none or one.
struct PostSpikes {
    struct Link { int32_t step, next; };
    std::vector<uint16_t> first;  // the step of its first spike, MORE if others follow; else steps
    std::vector<int32_t> others;
    std::vector<Link> links;

    void make(const Spikes &spikes, int64_t steps, int64_t n)
    {
        first.assign(n, (uint16_t)steps);
        others.assign(n, -1);
        links.clear();
        for (int64_t s = 0; s < spikes.count; s++) {
            const int64_t j = spikes.neuron[s];
            if (first[j] == steps) { first[j] = (uint16_t)spikes.step(s); continue; }
            first[j] |= MORE;
            links.push_back({(int32_t)spikes.step(s), others[j]});
            others[j] = (int32_t)links.size() - 1;
        }
    }

    // Return the sum of a presynaptic neuron's traces in the steps of spikes of neuron j.
    double sum(const double *x, int64_t j) const
    {
        double total = 0.0 + x[(first[j] & ~MORE) * WIDTH];
        if (first[j] & MORE)
            for (int32_t at = others[j]; at >= 0; at = links[at].next) total += x[links[at].step * WIDTH];
        return total;
    }
};

// What arriving spikes take off: of each synapse, and whether a presynaptic neuron has had any. All
// is 0 between two uses.
struct Taken {
    std::vector<double> of;
    std::vector<uint8_t> is_any;
};

// Find what arriving spikes take off, step by step, as what depresses in one step stays in the cache.
inline void depress_list(const Window &window, const Projection &p, const Post &post, Taken &taken)
{
    static thread_local Numbers traces;
    const Layer &layer = *post.layer;
    const int64_t n = window.agent.nodes[layer.node].size;
    const Spikes came = arrivals_of(window, p);
    traces.resize(n);
    if ((int64_t)taken.of.size() < p.start[p.n_pre]) taken.of.resize(p.start[p.n_pre]);
    if ((int64_t)taken.is_any.size() < p.n_pre) taken.is_any.resize(p.n_pre);
    double *__restrict y = traces.data();
    for (int64_t j = 0; j < n; j++) y[j] = post.before[j] * GRID;
    for (int64_t t = 0, s = 0; t < window.agent.window; t++) {
        const uint8_t *__restrict spiked = window.row(layer.node, t);
        const double decay = layer.post_decay, scale = layer.depression * post.powers[t];
        for (int64_t j = 0; j < n; j++) y[j] = __builtin_rint(decay * y[j]) + spiked[j] * GRID;
        for (; s < came.count && came.step(s) == t; s++) {
            if (s + 2 * AHEAD < came.count) __builtin_prefetch(p.start + came.neuron[s + 2 * AHEAD]);
            if (s + AHEAD < came.count) {
                const int64_t next = p.start[came.neuron[s + AHEAD]];
                __builtin_prefetch(p.post + next), __builtin_prefetch(&taken.of[next], 1);
            }
            const int64_t i = came.neuron[s];
            taken.is_any[i] = 1;
            for (int64_t m = p.start[i]; m < p.start[i + 1]; m++) {
                double now = __builtin_rint(scale * y[p.post[m]]);
                if (post.gate) now = __builtin_rint(post.gate[p.post[m]] * now);
                taken.of[m] += now;
            }
        }
    }
}

// Make what is left at the end of the traces of n presynaptic neurons from *first* on, of each step:
// *to* is (steps + 1, WIDTH), its last row 0. x: the traces of all, or null to compute them here.
inline void make_traces(
    const Window &window, const Projection &p, const Post &post, const double *x, int64_t first,
    int64_t n, double *to)
{
    const int64_t steps = window.agent.window;
    double now[WIDTH] = {0}, *carried = carried_trace(window, p) + first;
    memcpy(now, carried, n * sizeof *now);
    for (int64_t t = 0; t < steps; t++, to += WIDTH) {
        if (x) memcpy(now, x + t * p.n_pre + first, n * sizeof *now);
        else next_traces(window, p, t, now, now, first, n);
        const double power = post.powers[t];
        for (int64_t i = 0; i < WIDTH; i++) to[i] = on_grid(power * now[i]);
    }
    for (int64_t i = 0; i < WIDTH; i++) to[i] = 0.0;
    if (!x && window.agent.carries) memcpy(carried, now, n * sizeof *now);
}

// Learn in a list. sum, turned: buffers.
inline void learn_list(
    const Window &window, const Projection &p, const Post &post, const double *x,
    const Change &change, const Synapses &synapses, Numbers &sum, Numbers &turned)
{
    static thread_local Taken taken;
    static thread_local Numbers traces;
    static thread_local PostSpikes spikes;
    const int64_t steps = window.agent.window, n_post = p.n_post;
    traces.resize((steps + 1) * WIDTH);
    if (post.depresses) depress_list(window, p, post, taken);
    if (post.dense) {
        turned.resize(n_post * steps);
        for (int64_t t = 0; t < steps; t++)
            for (int64_t j = 0; j < n_post; j++)
                turned[j * steps + t] = post.dense_factors[t * n_post + j];
    } else {
        spikes.make(post.spikes, steps, n_post);
    }
    for (int64_t first = 0; first < p.n_pre; first += WIDTH) {
        const int64_t width = p.n_pre - first < WIDTH ? p.n_pre - first : WIDTH;
        const int64_t begin = p.start[first], n = p.start[first + width] - begin;
        make_traces(window, p, post, x, first, width, traces.data());
        if (n == 0) continue;
        sum.resize(n);
        for (int64_t i = 0; i < width; i++) {
            const double *from = traces.data() + i;
            for (int64_t s = p.start[first + i]; s < p.start[first + i + 1]; s++) {
                const int64_t j = p.post[s];
                double total = 0.0;
                const double *f = turned.data() + j * steps;
                if (!post.dense) total = spikes.sum(from, j) * (post.gain ? post.gain[j] : 1.0);
                else for (int64_t t = 0; t < steps; t++) total += from[t * WIDTH] * f[t];
                sum[s - begin] = total;
            }
            if (!post.depresses || !taken.is_any[first + i]) continue;
            taken.is_any[first + i] = 0;
            for (int64_t s = p.start[first + i]; s < p.start[first + i + 1]; s++) {
                sum[s - begin] -= taken.of[s] * (1.0 / GRID);
                taken.of[s] = 0.0;
            }
        }
        if (p.numbers) apply(change, p, sum.data(), synapses, n, p.numbers + begin);
        else apply(change, p, sum.data(), synapses.from(begin), n);
    }
}

}  // namespace neurorl
