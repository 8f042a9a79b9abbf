// S_ij = sum over the spikes of neuron j of x_i(t), for 16 presynaptic neurons i at once.
//
// Traces are whole numbers of 2**-20, so their sums are sums of integers: a spike adds one vector of
// 16. The sums then turn, from columns to rows.
#pragma once

#include <stdint.h>
#include <string.h>
#include "buffers.h"
#include "elementary.h"
#include "spikes.h"

namespace neurorl {

const int64_t TILE = 16;
typedef int32_t Sixteen __attribute__((vector_size(64)));

// Columns, a tile apart, turn into rows that lie *stride* apart.
#ifdef __AVX2__
const int64_t TURNED = 8;

inline void turn(const int32_t *columns, int32_t *rows, int64_t stride)
{
    Octet turned[8];
    for (int64_t i = 0; i < 8; i++) memcpy(&turned[i], columns + i * TILE, sizeof turned[i]);
    transpose(turned);
    for (int64_t i = 0; i < 8; i++) memcpy(rows + i * stride, &turned[i], sizeof turned[i]);
}
#else
const int64_t TURNED = 4;
typedef int32_t Turned __attribute__((vector_size(16), may_alias));

inline void turn(const int32_t *columns, int32_t *rows, int64_t stride)
{
    typedef Turned Places;
    const Turned *quarters = (const Turned *)columns;
    const Turned a = quarters[0], b = quarters[4], c = quarters[8], d = quarters[12];
    const Turned ac = NEURORL_SHUFFLE(a, c, 0, 4, 1, 5), bd = NEURORL_SHUFFLE(b, d, 0, 4, 1, 5);
    const Turned ca = NEURORL_SHUFFLE(a, c, 2, 6, 3, 7), db = NEURORL_SHUFFLE(b, d, 2, 6, 3, 7);
    const Turned turned[4] = {
        NEURORL_SHUFFLE(ac, bd, 0, 4, 1, 5), NEURORL_SHUFFLE(ac, bd, 2, 6, 3, 7),
        NEURORL_SHUFFLE(ca, db, 0, 4, 1, 5), NEURORL_SHUFFLE(ca, db, 2, 6, 3, 7)};
    for (int64_t i = 0; i < 4; i++) memcpy(rows + i * stride, &turned[i], sizeof turned[i]);
}
#endif

// Traces as integers, 16 neurons together: those of neuron i in step t are at (i / 16, t, i % 16).
class TileSums {
public:
    // powers: decay of each step's trace until the window's end; the product is rounded to the grid.
    void set(const double *x, const double *powers, int64_t steps, int64_t n)
    {
        steps_ = steps;
        tiles_.resize((n + TILE - 1) / TILE * steps);
        int32_t *to = (int32_t *)tiles_.data();
        for (int64_t first = 0; first < n; first += TILE) {
            const int64_t width = n - first < TILE ? n - first : TILE;
            for (int64_t t = 0; t < steps; t++, to += TILE) {
                const double *from = x + t * n + first;
                for (int64_t i = 0; i < width; i++) to[i] = grid_units(powers[t] * from[i]);
                for (int64_t i = width; i < TILE; i++) to[i] = 0;
            }
        }
    }

    // Sum for the presynaptic neurons 16 tile to 16 tile + 15.
    void sum(int64_t tile, const Spikes &spikes, int64_t n_post)
    {
        const int64_t columns = (n_post + TILE - 1) / TILE * TILE;
        // Rows follow each other, unless a power of 2 would crowd a few lines of the cache.
        n_post_ = n_post;
        stride_ = n_post % TURNED || n_post % 512 == 0 ? (columns / TILE | 1) * TILE : n_post;
        if ((int64_t)columns_.size() < columns) columns_.assign(columns, Sixteen{});
        rows_.resize(TILE * stride_);
        Sixteen *sums = columns_.data();
        const int32_t *neurons = spikes.neuron;
        const Sixteen *traces = &tiles_[tile * steps_];
        for (int64_t s = 0; s < spikes.count; s++) sums[neurons[s]] += traces[spikes.step(s)];
        int32_t *rows = rows_.data();
        for (int64_t j = 0; j < n_post; j += TURNED) {
            for (int64_t i = 0; i < TILE; i += TURNED)
                turn((const int32_t *)&sums[j] + i, rows + i * stride_ + j, stride_);
            for (int64_t i = 0; i < TURNED; i++) sums[j + i] = Sixteen{};  // for the next sums
        }
    }

    // Return whether no trace of the tile is above 0 in any step.
    bool is_silent(int64_t tile) const
    {
        Sixteen any = {};
        for (int64_t t = 0; t < steps_; t++) any |= tiles_[tile * steps_ + t];
        int32_t bits = 0;
        for (int64_t i = 0; i < TILE; i++) bits |= any[i];
        return bits == 0;
    }

    // Return whether the rows of a tile follow each other.
    bool has_joined_rows() const { return stride_ == n_post_; }

    // Return row i of the tile summed last, in units of 2**-20.
    int32_t *row(int64_t i) { return &rows_[i * stride_]; }

    // Write the same row times *gain* to *sum*.
    void row(int64_t i, const double *gain, int64_t n_post, double *sum)
    {
        const int32_t *from = row(i);
        for (int64_t j = 0; j < n_post; j++) sum[j] = (double)from[j] * 0x1p-20 * gain[j];
    }

private:
    int64_t steps_ = 0, n_post_ = 0, stride_ = 0;
    std::vector<Sixteen> tiles_, columns_;  // of columns_, all are 0 between two sums
    Integers rows_;
};

}  // namespace neurorl
