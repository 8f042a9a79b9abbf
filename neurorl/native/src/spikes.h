// Spikes of a window as a list instead of a raster.
#ifndef NEURORL_SPIKES_H
#define NEURORL_SPIKES_H
#include <stdint.h>
#include <string.h>
#include "buffers.h"

namespace neurorl {

struct Spikes {
    Integers step, neuron;  // of each spike, in order of steps, then neurons
    std::vector<int64_t> until;         // number of spikes up to each step, included
    int64_t count = 0;

    void clear(int64_t steps, int64_t n)
    {
        count = 0;
        until.assign(steps, 0);
        if ((int64_t)step.size() < steps * n) {
            step.resize(steps * n);
            neuron.resize(steps * n);
        }
    }

    // Add the spikes of a step; steps come in order, and those left out are silent.
    void add(int64_t t, const uint8_t *spikes, int64_t n)
    {
        int32_t *steps = step.data(), *neurons = neuron.data();
        int64_t s = count;
        for (int64_t j = 0; j < n; j += 64)
            for (uint64_t left = bits(spikes + j, n - j); left; left &= left - 1) {
                steps[s] = t;
                neurons[s++] = j + __builtin_ctzll(left);
            }
        count = s;
    }

    void end_step(int64_t t) { until[t] = count; }

    // List spikes neuron by neuron in *order*, and where each neuron's begin.
    void by_neuron(int64_t n, std::vector<int64_t> &begin, Integers &order) const
    {
        begin.assign(n + 1, 0);
        order.resize(count);
        for (int64_t s = 0; s < count; s++) begin[neuron[s] + 1]++;
        for (int64_t i = 0; i < n; i++) begin[i + 1] += begin[i];
        std::vector<int64_t> next(begin.begin(), begin.end() - 1);
        for (int64_t s = 0; s < count; s++) order[next[neuron[s]]++] = s;
    }

private:
    // The first 64 of n bytes of 0 or 1 as bits, so that no branch is taken on each.
    static uint64_t bits(const uint8_t *bytes, int64_t n)
    {
        uint64_t all = 0;
        for (int64_t j = 0; j < 64 && j < n; j += 8) {
            uint64_t eight = 0;
            memcpy(&eight, bytes + j, n - j < 8 ? n - j : 8);
            all |= eight * 0x0102040810204080 >> 56 << j;  // byte i of 0 or 1 becomes bit i
        }
        return all;
    }
};

}  // namespace neurorl

#endif
