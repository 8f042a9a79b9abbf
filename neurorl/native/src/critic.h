// The modulator (third factor): models/agent/critics.py in C.
#pragma once

#include "agent.h"
#include "elementary.h"
#include "membranes.h"

namespace neurorl {

enum CriticKernel { LINEAR, SPIKING, LAYERS };
struct Critic {
    int64_t kernel;
    double alpha, lambda_, initial_value;
};

enum ModulatorKernel { TD_ERROR, REWARD };
struct Modulator {
    int64_t kernel;
    double limit;
};

inline double clipped(const Agent &agent, double delta)
{
    const double most = agent.modulator->limit;
    return delta > most ? most : delta < -most ? -most : delta;
}

// Return V of features x, by the weights v.
inline double linear_value(const Agent &agent, const double *v, const double *x)
{
    const double learned = dot(v, x, agent.features.size);
    const double initial = agent.critic->initial_value;
    return initial != 0.0 ? initial + learned : learned;
}

// Return the modulator of a transition to the state with features *next*, and teach the critic.
inline double modulator(const Agent &agent, int64_t k, const double *next)
{
    const double reward = agent.reward[k], rate = agent.rate[k];
    if (agent.modulator->kernel == REWARD) {
        const double surprise = reward - agent.mean_reward[k];
        agent.mean_reward[k] += agent.critic->alpha * surprise;
        return surprise;
    }
    const int64_t n = agent.features.size;
    double *x = agent.x + k * n, *v = agent.value + k * n, *z = agent.value_trace + k * n;
    const double after = linear_value(agent, v, next), before = linear_value(agent, v, x);
    const double delta = reward + agent.discount[k] * after - before;
    const double size = dot(x, x, n), kept = agent.gamma * agent.critic->lambda_;
    const double step = rate * agent.critic->alpha * delta / (size > 1.0 ? size : 1.0);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        z[i] = kept * z[i] + x[i];
        v[i] += step * z[i];
        x[i] = next[i];
    }
    return delta;
}

// Return the value V that a spiking critic reads out.
inline double spiking_value(const Window &window, const Layer &critic)
{
    const Agent &agent = window.agent;
    const int64_t n = agent.nodes[critic.node].size;
    int64_t total = 0;
    for (int64_t t = critic.first; t < agent.window; t++) {
        const uint8_t *spikes = window.row(critic.node, t);
        for (int64_t i = 0; i < n / 2; i++) total += spikes[i];
        for (int64_t i = n / 2; i < n; i++) total -= spikes[i];
    }
    return agent.critic_unit * (double)total;
}

}  // namespace neurorl
