// Learning by PES on Loihi's emulator: backends/loihi/fast_pes.py in C.
#ifndef NEURORL_PES_H
#define NEURORL_PES_H
#include <stdint.h>
#include <stdlib.h>

namespace neurorl {

// The Mersenne Twister, MT19937, in NumPy's state: 624 words, and how many of them are used up.
// Source: Matsumoto & Nishimura 1998 (doi 10.1145/272991.272995).
struct Twister {
    uint32_t *words;
    int64_t *used;
};

const int64_t WORDS = 624, AHEAD = 397;

inline uint32_t twisted(uint32_t high, uint32_t low, uint32_t ahead)
{
    const uint32_t joined = (high & 0x80000000u) | (low & 0x7fffffffu);
    return ahead ^ (joined >> 1) ^ (-(low & 1u) & 0x9908b0dfu);
}

inline void twist(uint32_t *w)
{
    for (int64_t i = 0; i < WORDS - AHEAD; i++) w[i] = twisted(w[i], w[i + 1], w[i + AHEAD]);
    for (int64_t i = WORDS - AHEAD; i < WORDS - 1; i++)
        w[i] = twisted(w[i], w[i + 1], w[i + AHEAD - WORDS]);
    w[WORDS - 1] = twisted(w[WORDS - 1], w[0], w[AHEAD - 1]);
}

inline uint32_t next_word(const Twister &g)
{
    if (*g.used == WORDS) {
        twist(g.words);
        *g.used = 0;
    }
    uint32_t y = g.words[(*g.used)++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

// Draw as NumPy's RandomState.rand does: 53 bits of two words.
inline double next_number(const Twister &g)
{
    const uint32_t a = next_word(g) >> 5, b = next_word(g) >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
}

// Skip n numbers, as if they had been drawn.
inline void skip_numbers(const Twister &g, int64_t n)
{
    int64_t words = 2 * n;
    while (words > WORDS - *g.used) {
        words -= WORDS - *g.used;
        twist(g.words);
        *g.used = 0;
    }
    *g.used += words;
}

// Draw as RandomState.randint(-127, 128, n) does: a byte of a word each, one more if it is 255.
inline void skip_noise(const Twister &g, int64_t n)
{
    while (n > 0) n -= (next_word(g) & 0xff) != 0xff;
}

// The synapses of a core that learns, from one projection. arrived, came: of each axon, whether a
// spike comes now, or has come since the trace was last updated. table: (axons, 2 neurons), the
// second half of silent twins. error: of each neuron.
struct Learning {
    const uint8_t *arrived;
    uint8_t *came;
    int32_t *trace, *table;
    const int32_t *error;
    int64_t axons, neurons, exponent;
    double decay, magnitude;
};

inline void note_spikes(const Learning &s)
{
    for (int64_t i = 0; i < s.axons; i++) s.came[i] |= s.arrived[i];
}

inline int32_t stochastic(double x, double u)
{
    const int32_t whole = (int32_t)x;
    return whole + (x - whole > u);
}

inline void update_traces(const Learning &s, const Twister &g)
{
    for (int64_t i = 0; i < s.axons; i++) {
        double x = s.decay * s.trace[i];
        if (s.came[i]) x += s.magnitude;
        const int32_t rounded = stochastic(x, next_number(g));
        s.trace[i] = rounded < 127 ? rounded : 127;
        s.came[i] = 0;
    }
}

inline int32_t shifted(int32_t x, int64_t bits)
{
    return bits < 0 ? x >> -bits : (int32_t)((uint32_t)x << bits);
}

// product: trace times error, in units of 2**-7 mantissas, whose lowest bit is not stored.
inline int32_t learned(int32_t weight, int32_t product, int64_t exponent, const Twister &g)
{
    const int32_t w = shifted(weight, 1 - exponent) + (product >> 2);
    const int32_t rounded = stochastic(abs(w) * (1.0 / 256), next_number(g));
    const int32_t clipped = rounded < 127 ? rounded : 127;
    return shifted(w < 0 ? -clipped : clipped, 7 + exponent);
}

inline void update_weights(const Learning &s, const Twister &g)
{
    bool errs = false;
    for (int64_t j = 0; j < s.neurons; j++) errs |= s.error[j] != 0;
    if (!errs) {
        skip_numbers(g, 2 * s.axons * s.neurons);
        return;
    }
    for (int64_t i = 0; i < s.axons; i++) {
        const int32_t x = s.trace[i];
        if (!x) {  // a weight on the grid stays there
            skip_numbers(g, 2 * s.neurons);
            continue;
        }
        int32_t *row = s.table + 2 * i * s.neurons, *twins = row + s.neurons;
        for (int64_t j = 0; j < s.neurons; j++)
            row[j] = learned(row[j], -x * s.error[j], s.exponent, g);
        for (int64_t j = 0; j < s.neurons; j++)
            twins[j] = learned(twins[j], x * s.error[j], s.exponent, g);
    }
}

// n_noise: compartments for which the emulator draws noise from the same generator.
inline void learn(
    const Learning *parts, int64_t count, const Twister &generator, int64_t n_noise, int64_t t)
{
    for (int64_t k = 0; k < count; k++) note_spikes(parts[k]);
    for (int64_t k = 0; t % 2 == 0 && k < count; k++) update_traces(parts[k], generator);
    for (int64_t k = 0; t % 4 == 0 && k < count; k++) update_weights(parts[k], generator);
    skip_noise(generator, n_noise);
}

}  // namespace neurorl

#endif
