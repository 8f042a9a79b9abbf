// What a window adds to the eligibilities of a projection's synapses, listed or dense, called by
// neurorl/native/listed.py: the bits of neurorl.learning.synapses. Traces and factors are whole
// multiples of 2**-20, and are held here times 2**20, so all sums are exact.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <vector>

namespace neurorl {

// Synapses of one delay, in the order of their presynaptic neurons. Rasters have strides of columns.
struct ListedWindow {
    int64_t n_pre, n_post, steps, delay, pre_stride, post_stride, pairs, is_single,
        is_dense;
    const int64_t *start, *row;  // of each presynaptic neuron: its first synapse, its place in post
    const int64_t *numbers;      // places in e; none if they are 0, 1, 2, ...
    const int32_t *post;
    const uint8_t *spikes, *last, *post_spikes;  // last: (delay, n_pre), of the steps before
    double *trace, *post_trace;
    // factors, where gain isn't: (n_post, steps), if dense (steps, n_post)
    const double *powers, *gain, *factors, *gate;
    void *eligibility;
    double *down;  // zeros, for each synapse
    double decay, post_decay, depression, keep;
};

const double GRID = 0x1p20, ROUNDED_OFF = 0x1p-40;
const float FADED = 0x1p-60f;  // see neurorl.learning.levels
const float LARGEST_STEP = 0x1p29f;
const int64_t WIDTH = 64;      // presynaptic neurons side by side: a line of the raster
const int64_t AHEAD = 8;       // neurons whose synapses are fetched before they are needed
const uint16_t MORE = 0x8000;

// The places of ones among bytes that are 0 or 1, most of them 0.
template <class Visit> inline void each_spike(const uint8_t *row, int64_t n, Visit visit)
{
    for (int64_t i = 0; i < n; i += 8) {
        uint64_t eight = 0;
        memcpy(&eight, row + i, n - i < 8 ? n - i : 8);
        for (; eight; eight &= eight - 1) visit(i + (__builtin_ctzll(eight) >> 3));
    }
}

inline const uint8_t *arriving(const ListedWindow &w, int64_t t)
{
    return t < w.delay ? w.last + t * w.n_pre : w.spikes + (t - w.delay) * w.pre_stride;
}

// The spikes of each postsynaptic neuron: most have none or one.
struct PostSpikes {
    struct Link { int32_t step, next; };
    std::vector<uint16_t> first;  // the step of its first spike, MORE if others follow; else steps
    std::vector<int32_t> others;
    std::vector<Link> links;

    explicit PostSpikes(const ListedWindow &w) : first(w.n_post, (uint16_t)w.steps), others(w.n_post, -1)
    {
        for (int64_t t = 0; t < w.steps; t++)
            each_spike(w.post_spikes + t * w.post_stride, w.n_post, [&](int64_t j) {
                if (first[j] == w.steps) { first[j] = (uint16_t)t; return; }
                first[j] |= MORE;
                links.push_back({(int32_t)t, others[j]});
                others[j] = (int32_t)links.size() - 1;
            });
    }
};

inline void prefetch_synapses(const ListedWindow &w, int64_t i)
{
    const int64_t first = w.start[i], last = w.start[i + 1] - 1;
    __builtin_prefetch(w.post + w.row[i]), __builtin_prefetch(w.post + w.row[i] + last - first);
    __builtin_prefetch(w.down + first, 1), __builtin_prefetch(w.down + last, 1);
}

inline void depress_by(const ListedWindow &w, int64_t i, double scale, const double *y)
{
    const int32_t *post = w.post + w.row[i];
    for (int64_t s = w.start[i]; s < w.start[i + 1]; s++, post++) {
        double taken = __builtin_rint(scale * y[*post]);
        if (w.gate) taken = __builtin_rint(w.gate[*post] * taken);
        w.down[s] += taken;
    }
}

// Each synapse's depression by its arriving spikes, into w.down; step by step, as what depresses
// in one step stays in the cache.
void depress(const ListedWindow &w)
{
    std::vector<double> traces(w.n_post);
    std::vector<int64_t> came;
    double *__restrict y = traces.data();
    for (int64_t j = 0; j < w.n_post; j++) y[j] = w.post_trace[j] * GRID;
    for (int64_t t = 0; t < w.steps; t++) {
        const uint8_t *__restrict spiked = w.post_spikes + t * w.post_stride;
        const double decay = w.post_decay, scale = w.depression * w.powers[t];
        const int64_t n = w.n_post;
        for (int64_t j = 0; j < n; j++) y[j] = __builtin_rint(decay * y[j]) + spiked[j] * GRID;
        came.clear();
        each_spike(arriving(w, t), w.n_pre, [&](int64_t i) { came.push_back(i); });
        const int64_t n_came = (int64_t)came.size();
        for (int64_t at = 0; at < n_came; at++) {
            if (at + 2 * AHEAD < n_came) __builtin_prefetch(w.start + came[at + 2 * AHEAD]);
            if (at + AHEAD < n_came) prefetch_synapses(w, came[at + AHEAD]);
            depress_by(w, came[at], scale, y);
        }
    }
    for (int64_t j = 0; j < w.n_post; j++) w.post_trace[j] = y[j] * (1.0 / GRID);
}

// Traces of WIDTH neurons in every step, times what is left at the end: x is (steps + 1, WIDTH),
// its last row 0. Returns who has had an arrival.
uint64_t make_traces(const ListedWindow &w, int64_t first, double *__restrict x)
{
    const int64_t n = w.n_pre - first < WIDTH ? w.n_pre - first : WIDTH;
    double now[WIDTH] = {0};
    uint8_t any[WIDTH] = {0};
    for (int64_t k = 0; k < n; k++) now[k] = w.trace[first + k] * GRID;
    for (int64_t t = 0; t < w.steps; t++, x += WIDTH) {
        uint8_t came[WIDTH] = {0};
        const uint8_t *row = arriving(w, t) + first;
        __builtin_prefetch(row + WIDTH * (AHEAD / 4));
        if (n == WIDTH) memcpy(came, row, WIDTH);
        else memcpy(came, row, n);
        const double decay = w.decay, power = w.powers[t];
        for (int64_t k = 0; k < WIDTH; k++) {
            now[k] = __builtin_rint(decay * now[k]) + came[k] * GRID;
            x[k] = __builtin_rint(power * now[k]);
            any[k] |= came[k];
        }
    }
    for (int64_t k = 0; k < WIDTH; k++) x[k] = 0.0;
    for (int64_t k = 0; k < n; k++) w.trace[first + k] = now[k] * (1.0 / GRID);
    uint64_t who = 0;
    for (int64_t k = 0; k < WIDTH; k++) who |= (uint64_t)any[k] << k;
    return who;
}

// What postsynaptic neurons contribute to each synapse of the presynaptic neuron of `begin`, whose
// traces are x. A gain for each spike:
struct BySpikes {
    const ListedWindow &w;
    PostSpikes post;
    const double *x;

    explicit BySpikes(const ListedWindow &w) : w(w), post(w) {}
    void begin(int64_t, int64_t, const double *traces) { x = traces; }
    double operator()(int64_t j) const
    {
        const uint16_t first = post.first[j];
        double sum = 0.0 + x[(first & ~MORE) * WIDTH];
        if (first & MORE)
            for (int32_t at = post.others[j]; at >= 0; at = post.links[at].next)
                sum += x[post.links[at].step * WIDTH];
        return sum * (w.gain[j] * GRID);
    }
};

// A factor in each step, for the synapses of a list:
struct BySteps {
    const ListedWindow &w;
    const double *x;

    void begin(int64_t, int64_t, const double *traces) { x = traces; }
    double operator()(int64_t j) const
    {
        const double *f = w.factors + j * w.steps;
        double sum = 0.0;
        for (int64_t t = 0; t < w.steps; t++) sum += x[t * WIDTH] * f[t];
        return sum * GRID;
    }
};

// The same for neighbours, all at once:
struct ByRows {
    const ListedWindow &w;
    std::vector<double> sums;

    explicit ByRows(const ListedWindow &w) : w(w), sums(w.n_post) {}
    void begin(int64_t first, int64_t n, const double *x)
    {
        double *__restrict sum = sums.data() + first;
        for (int64_t j = 0; j < n; j++) sum[j] = 0.0;
        for (int64_t t = 0; t < w.steps; t++) {
            const double now = x[t * WIDTH], *__restrict f = w.factors + t * w.n_post + first;
            if (now == 0.0) continue;
            for (int64_t j = 0; j < n; j++) sum[j] += now * f[j];
        }
    }
    double operator()(int64_t j) const { return sums[j] * GRID; }
};

inline void remember(float &e, double keep, double tag)
{
    const float kept = (float)keep * e, now = kept + (float)tag;
    e = __builtin_fabsf(now) < FADED ? 0.0f : now;
}

inline void remember(double &e, double keep, double tag) { e = keep * e + tag; }

template <class Number, class Sum> void visit(const ListedWindow &w, Sum sum)
{
    Number *e = (Number *)w.eligibility;
    std::vector<double> x((w.steps + 1) * WIDTH);
    for (int64_t first = 0; first < w.n_pre; first += WIDTH) {
        const uint64_t arrived = make_traces(w, first, x.data());
        const int64_t n = w.n_pre - first < WIDTH ? w.n_pre - first : WIDTH;
        for (int64_t k = 0; k < n; k++) {
            const bool has_down = w.pairs && (arrived >> k & 1);
            const int64_t begin = w.start[first + k], end = w.start[first + k + 1];
            if (begin == end) continue;
            const int32_t *post = w.post + w.row[first + k];
            sum.begin(*post, end - begin, x.data() + k);
            for (int64_t s = begin; s < end; s++, post++) {
                double tag = sum(*post) * ROUNDED_OFF;
                if (has_down) tag -= w.down[s] * (1.0 / GRID), w.down[s] = 0.0;
                remember(e[w.numbers ? w.numbers[s] : s], w.keep, tag);
            }
        }
    }
}

template <class Number> void visit_all(const ListedWindow &w)
{
    if (w.gain) visit<Number>(w, BySpikes(w));
    else if (w.is_dense) visit<Number>(w, ByRows(w));
    else visit<Number>(w, BySteps{w, nullptr});
}

// A change of weights on whole levels, see neurorl.learning.levels.
void reinforce(
    int64_t n, double *__restrict weights, const float *__restrict e, float factor, double unit,
    double least, double largest)
{
    const double inverse = 1.0 / unit;
    for (int64_t s = 0; s < n; s++) {
        float step = factor * e[s];
        step = step < -LARGEST_STEP ? -LARGEST_STEP : step;
        step = step > LARGEST_STEP ? LARGEST_STEP : step;
        double level = weights[s] * inverse + __builtin_rintf(step);
        level = level < least ? least : level;
        weights[s] = (level > largest ? largest : level) * unit;
    }
}

}  // namespace neurorl

using namespace neurorl;

extern "C" {
void neurorl_listed_window(const ListedWindow *window)
{
    if (window->pairs) depress(*window);
    if (window->is_single) visit_all<float>(*window);
    else visit_all<double>(*window);
}

void neurorl_listed_reinforce(
    int64_t n, double *weights, const float *e, float factor, double unit, double least,
    double largest)
{
    reinforce(n, weights, e, factor, unit, least, largest);
}
}
