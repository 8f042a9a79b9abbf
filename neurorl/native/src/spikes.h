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
        int64_t j = 0;
        for (; j + 8 <= n; j += 8) {
            uint64_t eight;
            memcpy(&eight, spikes + j, 8);
            if (!eight) continue;
            for (int64_t l = j; l < j + 8; l++)
                if (spikes[l]) put(t, l);
        }
        for (; j < n; j++)
            if (spikes[j]) put(t, j);
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
    void put(int64_t t, int64_t j)
    {
        step[count] = t;
        neuron[count++] = j;
    }
};

}  // namespace neurorl

#endif
