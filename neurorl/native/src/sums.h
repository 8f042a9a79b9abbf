// S_ij = sum over the spikes of neuron j of x_i(t), for 16 presynaptic neurons i at once.
//
// Traces are whole numbers of 2**-20, so their sums are sums of integers: a spike adds one vector of
// 16. The sums then turn, from columns to rows.
#ifndef NEURORL_SUMS_H
#define NEURORL_SUMS_H
#include <stdint.h>
#include <string.h>
#include "buffers.h"
#include "spikes.h"

namespace neurorl {

const int64_t TILE = 16;
typedef int32_t Sixteen __attribute__((vector_size(64)));

// Compilers shuffle vectors that are wider than the processor's one number at a time, and all
// processors have registers of four.
typedef int32_t Four __attribute__((vector_size(16), may_alias));

#ifdef __clang__
#define NEURORL_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define NEURORL_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Four{__VA_ARGS__})
#endif

// Four columns, a tile apart, turn into four rows that lie *stride* apart.
inline void turn(const Four *columns, int32_t *rows, int64_t stride)
{
    const Four a = columns[0], b = columns[4], c = columns[8], d = columns[12];
    const Four ac = NEURORL_SHUFFLE(a, c, 0, 4, 1, 5), bd = NEURORL_SHUFFLE(b, d, 0, 4, 1, 5);
    const Four ca = NEURORL_SHUFFLE(a, c, 2, 6, 3, 7), db = NEURORL_SHUFFLE(b, d, 2, 6, 3, 7);
    const Four turned[4] = {
        NEURORL_SHUFFLE(ac, bd, 0, 4, 1, 5), NEURORL_SHUFFLE(ac, bd, 2, 6, 3, 7),
        NEURORL_SHUFFLE(ca, db, 0, 4, 1, 5), NEURORL_SHUFFLE(ca, db, 2, 6, 3, 7)};
    for (int64_t i = 0; i < 4; i++) memcpy(rows + i * stride, &turned[i], sizeof turned[i]);
}

#undef NEURORL_SHUFFLE

// Traces as integers, 16 neurons together: those of neuron i in step t are at (i / 16, t, i % 16).
class TileSums {
public:
    // powers: decay of each step's trace until the window's end; the product is rounded to the grid.
    void set(const double *x, const double *powers, int64_t steps, int64_t n)
    {
        steps_ = steps;
        tiles_.assign((n + TILE - 1) / TILE * steps, Sixteen{});
        int32_t *to = (int32_t *)tiles_.data();
        for (int64_t first = 0; first < n; first += TILE) {
            const int64_t width = n - first < TILE ? n - first : TILE;
            for (int64_t t = 0; t < steps; t++, to += TILE)
                for (int64_t i = 0; i < width; i++)
                    to[i] = (int32_t)__builtin_rint(powers[t] * x[t * n + first + i] * 0x1p20);
        }
    }

    // Sum for the presynaptic neurons 16 tile to 16 tile + 15.
    void sum(int64_t tile, const Spikes &spikes, int64_t n_post)
    {
        const int64_t columns = (n_post + TILE - 1) / TILE * TILE;
        stride_ = (columns / TILE | 1) * TILE;  // odd: a power of 2 would crowd a few lines of the cache
        columns_.resize(columns);
        rows_.resize(TILE * stride_);
        Sixteen *sums = columns_.data();
        memset(sums, 0, columns * sizeof *sums);
        const int32_t *neurons = spikes.neuron.data();
        int64_t s = 0;
        for (int64_t t = 0; t < steps_; t++) {
            const Sixteen x = tiles_[tile * steps_ + t];
            for (const int64_t until = spikes.until[t]; s < until; s++) sums[neurons[s]] += x;
        }
        int32_t *rows = rows_.data();
        for (int64_t j = 0; j < columns; j += 4)
            for (int64_t i = 0; i < TILE; i += 4)
                turn((const Four *)&sums[j] + i / 4, rows + i * stride_ + j, stride_);
    }

    // Return row i of the tile summed last, in units of 2**-20.
    int32_t *row(int64_t i) { return &rows_[i * stride_]; }

    // Write the same row times *gain* to *sum*.
    void row(int64_t i, const double *gain, int64_t n_post, double *sum)
    {
        const int32_t *from = row(i);
        for (int64_t j = 0; j < n_post; j++) sum[j] = (double)from[j] * 0x1p-20 * gain[j];
    }

private:
    int64_t steps_ = 0, stride_ = 0;
    std::vector<Sixteen> tiles_, columns_;
    Integers rows_;
};

}  // namespace neurorl

#endif
