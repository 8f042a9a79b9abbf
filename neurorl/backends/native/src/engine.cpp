// What all printed networks share, compiled once for a machine; see engine.h.
#include "parallel.h"
#include "philox.h"
#include "spikes.h"

// Calls body(with, first, last) for ranges of so many replicas, each in a thread of its own.
extern "C" void neurorl_share(
    int64_t threads, int64_t n_replicas, void (*body)(const void *, int64_t, int64_t),
    const void *with)
{
    neurorl::in_ranges(threads, n_replicas, [&](int64_t first, int64_t last, int64_t) {
        body(with, first, last);
    });
}

// Writes the row of spikes of the neurons *begin* to n less 1, given a byte of 0 or 1 for each of all.
extern "C" void neurorl_list_spikes(const uint8_t *over, int32_t *row, int64_t begin, int64_t n)
{
    row[n - begin] = neurorl::list_ones(over + begin, n - begin, begin, row);
}

// Writes the words of the four steps of a block, rows of shape (4, n).
extern "C" void neurorl_draw_rows(
    int64_t n, int64_t block, int64_t stream, int64_t seed, uint32_t *rows)
{
    neurorl_rows(0, n, block, stream, seed, rows);
}
