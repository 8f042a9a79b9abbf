// S_ij = sum over the spikes of neuron j of x_i(t), for 16 presynaptic neurons i at once.
//
// Traces are whole numbers of 2**-20, so their sums are sums of integers: a spike adds one vector of
// 16. The sums of 16 postsynaptic neurons then turn, from columns to rows.
#ifndef NEURORL_SUMS_H
#define NEURORL_SUMS_H
#include <stdint.h>
#include <string.h>
#include "buffers.h"
#include "spikes.h"

namespace neurorl {

const int64_t TILE = 16;
typedef int32_t Sixteen __attribute__((vector_size(64)));

// A 16 x 16 matrix turns by four rounds of interleaving its upper and lower half.
inline void turn(Sixteen *rows)
{
    const Sixteen low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
    const Sixteen high = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    Sixteen next[16];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 8; i++) {
            next[2 * i] = __builtin_shuffle(rows[i], rows[i + 8], low);
            next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + 8], high);
        }
        memcpy(rows, next, sizeof next);
    }
}

// Traces as integers, 16 neurons together: those of neuron i in step t are at (i / 16, t, i % 16).
class TileSums {
public:
    // powers: what a trace of step t is worth at the window's end; rounded to the grid.
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

    // The sums of presynaptic neurons 16 tile, ...
    void sum(int64_t tile, const Spikes &spikes, int64_t n_post)
    {
        const int64_t columns = (n_post + TILE - 1) / TILE * TILE;
        stride_ = columns + TILE;  // not a power of 2, which would crowd a few lines of the cache
        columns_.resize(columns);
        rows_.resize(TILE * stride_);
        memset(columns_.data(), 0, columns * sizeof(Sixteen));
        int64_t s = 0;
        for (int64_t t = 0; t < steps_; t++) {
            const Sixteen x = tiles_[tile * steps_ + t];
            for (; s < spikes.until[t]; s++) columns_[spikes.neuron[s]] += x;
        }
        for (int64_t j = 0; j < columns; j += TILE) {
            Sixteen block[16];
            memcpy(block, &columns_[j], sizeof block);
            turn(block);
            for (int64_t i = 0; i < TILE; i++)
                memcpy(&rows_[i * stride_ + j], &block[i], sizeof block[i]);
        }
    }

    // Row i of the tile that was summed last, in units of 2**-20.
    int32_t *row(int64_t i) { return &rows_[i * stride_]; }

    // The same times gain.
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
