// Loops of nengo-loihi's emulator, called by backends/loihi/native.py.
#include "describe.h"
#include "emulator.h"

namespace neurorl {

inline void describe_block_rows(std::string &text)
{
    using S = BlockRows;
    describe(text, "BlockRows", sizeof(S), {
        NEURORL_AT(spiked), NEURORL_AT(rows), NEURORL_AT(table), NEURORL_AT(index),
        NEURORL_AT(width), NEURORL_AT(q)
    });
}

inline void describe_compartments(std::string &text)
{
    using S = Compartments;
    describe(text, "Compartments", sizeof(S), {
        NEURORL_AT(n), NEURORL_AT(has_refractory), NEURORL_AT(q), NEURORL_AT(current),
        NEURORL_AT(voltage), NEURORL_AT(ref_count), NEURORL_AT(spike_count), NEURORL_AT(spiked),
        NEURORL_AT(bias), NEURORL_AT(vmin), NEURORL_AT(vmax), NEURORL_AT(ref), NEURORL_AT(vth),
        NEURORL_AT(current_factor), NEURORL_AT(voltage_factor)
    });
}

inline void describe_twister(std::string &text)
{
    using S = Twister;
    describe(text, "Twister", sizeof(S), {
        NEURORL_AT(words), NEURORL_AT(used)
    });
}

inline void describe_learning(std::string &text)
{
    using S = Learning;
    describe(text, "Learning", sizeof(S), {
        NEURORL_AT(arrived), NEURORL_AT(came), NEURORL_AT(trace), NEURORL_AT(table),
        NEURORL_AT(error), NEURORL_AT(axons), NEURORL_AT(neurons), NEURORL_AT(exponent),
        NEURORL_AT(decay), NEURORL_AT(magnitude)
    });
}

inline void describe_arrivals(std::string &text)
{
    using S = Arrivals;
    describe(text, "Arrivals", sizeof(S), {
        NEURORL_AT(raster), NEURORL_AT(arrived), NEURORL_AT(n)
    });
}

inline void describe_gathered(std::string &text)
{
    using S = Gathered;
    describe(text, "Gathered", sizeof(S), {
        NEURORL_AT(places), NEURORL_AT(arrived), NEURORL_AT(n)
    });
}

inline void describe_emulator(std::string &text)
{
    using S = Emulator;
    describe(text, "Emulator", sizeof(S), {
        NEURORL_AT(arrivals), NEURORL_AT(gathered), NEURORL_AT(blocks),
        NEURORL_AT(compartments), NEURORL_AT(parts), NEURORL_AT(generator),
        NEURORL_AT(n_inputs), NEURORL_AT(n_gathered), NEURORL_AT(n_blocks), NEURORL_AT(n_parts),
        NEURORL_AT(n_noise)
    });
}

inline std::string layout()
{
    std::string text;
    describe_block_rows(text);
    describe_compartments(text);
    describe_twister(text);
    describe_learning(text);
    describe_arrivals(text);
    describe_gathered(text);
    describe_emulator(text);
    return text;
}

}  // namespace neurorl

using namespace neurorl;

// Return the layout of the structures above, which neurorl/native/layout.py compares with Python's.
extern "C" const char *neurorl_layout()
{
    static const std::string text = layout();
    return text.c_str();
}

extern "C" void neurorl_chip_update(const Compartments *compartments) { update(*compartments); }

extern "C" void neurorl_chip_add_spiking(const BlockRows *blocks, int64_t count)
{
    for (int64_t k = 0; k < count; k++) add_spiking(blocks[k]);
}

extern "C" void neurorl_chip_learn(
    const Learning *parts, int64_t count, const Twister *generator, int64_t n_noise, int64_t t)
{
    learn(parts, count, *generator, n_noise, t);
}

extern "C" void neurorl_chip_run(
    const Emulator *emulator,
    int64_t t,
    int64_t n_steps,
    const int32_t *thresholds,
    uint8_t *spikes)
{
    run(*emulator, t, n_steps, thresholds, spikes);
}
