// The third factor, neurorl/critic.py in C.
#ifndef NEURORL_CRITIC_H
#define NEURORL_CRITIC_H
#include "agent.h"
#include "elementary.h"

namespace neurorl {

// The modulator of a transition to the state with features next; the critic then learns from it.
inline double modulator(const Agent &agent, int64_t k, const double *next)
{
    const double reward = agent.reward[k], rate = agent.rate[k];
    if (agent.modulator == REWARD) {
        const double surprise = reward - agent.mean_reward[k];
        agent.mean_reward[k] += agent.alpha_critic * surprise;
        return surprise;
    }
    const int64_t n = agent.features.size;
    double *x = agent.x + k * n, *v = agent.value + k * n, *z = agent.value_trace + k * n;
    const double delta = reward + agent.discount[k] * dot(v, next, n) - dot(v, x, n);
    const double size = dot(x, x, n);
    const double step = rate * agent.alpha_critic * delta / (size > 1.0 ? size : 1.0);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        z[i] = agent.critic_decay * z[i] + x[i];
        v[i] += step * z[i];
        x[i] = next[i];
    }
    return delta;
}

}  // namespace neurorl

#endif
