// The layout of structures and choices, which neurorl/native/layout.py compares with Python's.
#ifndef NEURORL_LAYOUT_H
#define NEURORL_LAYOUT_H
#include "agent.h"
#include "elementary.h"

namespace neurorl {

inline void describe_terms(std::string &text)
{
    using S = Terms;
    describe(text, "Terms", sizeof(S), {
        NEURORL_AT(exp), NEURORL_AT(cos), NEURORL_AT(log2_e), NEURORL_AT(ln2_high),
        NEURORL_AT(ln2_low)
    });
}

inline void describe_part(std::string &text)
{
    using S = Part;
    describe(text, "Part", sizeof(S), {
        NEURORL_AT(kind), NEURORL_AT(d), NEURORL_AT(size), NEURORL_AT(a), NEURORL_AT(b),
        NEURORL_AT(width), NEURORL_AT(floor), NEURORL_AT(low), NEURORL_AT(gain),
        NEURORL_AT(table), NEURORL_AT(usual), NEURORL_AT(whole), NEURORL_AT(squashed)
    });
}

inline void describe_features(std::string &text)
{
    using S = Features;
    describe(text, "Features", sizeof(S), {
        NEURORL_AT(n_parts), NEURORL_AT(n_inputs), NEURORL_AT(size), NEURORL_AT(parts)
    });
}

inline void describe_node(std::string &text)
{
    using S = Node;
    describe(text, "Node", sizeof(S), {
        NEURORL_AT(size), NEURORL_AT(depth), NEURORL_AT(raster), NEURORL_AT(current),
        NEURORL_AT(last)
    });
}

inline void describe_equations(std::string &text)
{
    using S = Equations;
    describe(text, "Equations", sizeof(S), {
        NEURORL_AT(n_variables), NEURORL_AT(n_inputs), NEURORL_AT(initial), NEURORL_AT(constants),
        NEURORL_AT(step)
    });
}

inline void describe_projection(std::string &text)
{
    using S = Projection;
    describe(text, "Projection", sizeof(S), {
        NEURORL_AT(pre), NEURORL_AT(n_pre), NEURORL_AT(n_post), NEURORL_AT(blocks),
        NEURORL_AT(delay), NEURORL_AT(is_signed), NEURORL_AT(is_fine), NEURORL_AT(sums_fit),
        NEURORL_AT(target), NEURORL_AT(stream), NEURORL_AT(decay), NEURORL_AT(low), NEURORL_AT(high),
        NEURORL_AT(inverse), NEURORL_AT(limit), NEURORL_AT(unit), NEURORL_AT(transmitted_unit),
        NEURORL_AT(least), NEURORL_AT(largest), NEURORL_AT(weights), NEURORL_AT(eligibility),
        NEURORL_AT(levels), NEURORL_AT(eligibility_32),
        NEURORL_AT(trace), NEURORL_AT(in_force), NEURORL_AT(transmitted),
        NEURORL_AT(transmitted_integers), NEURORL_AT(accumulator), NEURORL_AT(mask)
    });
}

inline void describe_layer(std::string &text)
{
    using S = Layer;
    describe(text, "Layer", sizeof(S), {
        NEURORL_AT(node), NEURORL_AT(role), NEURORL_AT(first), NEURORL_AT(lag),
        NEURORL_AT(n_projections), NEURORL_AT(n_fixed), NEURORL_AT(begin), NEURORL_AT(end),
        NEURORL_AT(pairs_spikes), NEURORL_AT(gates_depression), NEURORL_AT(text),
        NEURORL_AT(projections), NEURORL_AT(alpha), NEURORL_AT(keep), NEURORL_AT(post_decay),
        NEURORL_AT(slow_decay), NEURORL_AT(depression),
        NEURORL_AT(powers), NEURORL_AT(norm), NEURORL_AT(post_trace), NEURORL_AT(slow_trace),
        NEURORL_AT(signs), NEURORL_AT(current_decay),
        NEURORL_AT(membrane_decay), NEURORL_AT(threshold), NEURORL_AT(bias),
        NEURORL_AT(noise_width), NEURORL_AT(refractory_steps), NEURORL_AT(equations)
    });
}

inline void describe_agent(std::string &text)
{
    using S = Agent;
    describe(text, "Agent", sizeof(S), {
        NEURORL_AT(n_replicas), NEURORL_AT(window), NEURORL_AT(n_actions), NEURORL_AT(n_output),
        NEURORL_AT(first_vote), NEURORL_AT(encoder), NEURORL_AT(policy),
        NEURORL_AT(modulator), NEURORL_AT(carries), NEURORL_AT(normalises),
        NEURORL_AT(has_spiking_critic), NEURORL_AT(writes), NEURORL_AT(write_every),
        NEURORL_AT(n_groups), NEURORL_AT(has_masks), NEURORL_AT(hold), NEURORL_AT(repeats),
        NEURORL_AT(repeats_decisions),
        NEURORL_AT(natural),
        NEURORL_AT(peak), NEURORL_AT(beta), NEURORL_AT(beta_end), NEURORL_AT(beta_decisions), NEURORL_AT(exploration), NEURORL_AT(sigma), NEURORL_AT(sigma_end),
        NEURORL_AT(sigma_decisions), NEURORL_AT(alpha_critic),
        NEURORL_AT(critic_decay), NEURORL_AT(modulator_limit),
        NEURORL_AT(norm_rate), NEURORL_AT(cells), NEURORL_AT(features), NEURORL_AT(cells_input),
        NEURORL_AT(features_input), NEURORL_AT(input), NEURORL_AT(critic_input),
        NEURORL_AT(current), NEURORL_AT(critic_current), NEURORL_AT(output), NEURORL_AT(groups),
        NEURORL_AT(allowed), NEURORL_AT(numbers), NEURORL_AT(phi), NEURORL_AT(t), NEURORL_AT(seeds),
        NEURORL_AT(decisions), NEURORL_AT(decided), NEURORL_AT(actions), NEURORL_AT(probabilities),
        NEURORL_AT(reward), NEURORL_AT(discount), NEURORL_AT(rate), NEURORL_AT(active),
        NEURORL_AT(x), NEURORL_AT(value), NEURORL_AT(value_trace), NEURORL_AT(mean_reward),
        NEURORL_AT(expected), NEURORL_AT(critic_unit),
        NEURORL_AT(critic_initial), NEURORL_AT(run), NEURORL_AT(run_inputs),
        NEURORL_AT(run_rasters), NEURORL_AT(n_nodes), NEURORL_AT(n_layers), NEURORL_AT(nodes),
        NEURORL_AT(layers)
    });
}

inline std::string layout()
{
    std::string text;
    describe_terms(text);
    describe_part(text);
    describe_features(text);
    describe_node(text);
    describe_equations(text);
    describe_projection(text);
    describe_layer(text);
    describe_agent(text);
    describe(text, "kind", {NEURORL_KINDS(NEURORL_NAME)});
    describe(text, "encoder", {NEURORL_ENCODERS(NEURORL_NAME)});
    describe(text, "policy", {NEURORL_POLICIES(NEURORL_NAME)});
    describe(text, "modulator", {NEURORL_MODULATORS(NEURORL_NAME)});
    describe(text, "writes", {NEURORL_WRITES(NEURORL_NAME)});
    describe(text, "role", {NEURORL_ROLES(NEURORL_NAME)});
    return text;
}

}  // namespace neurorl

#endif
