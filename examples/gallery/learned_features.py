"""
Learn features by hidden neurons
================================

Whether four bits have an odd sum can't be seen in any one of them. An agent with hidden layers that
all actions share learns it from the raw bits, by reward alone; with hidden layers that stay as they
were drawn, or without any, it doesn't. Then look at what each hidden neuron waits for.
"""

# %%
# The task: four bits, two answers, a reward for the right one. An episode is one question.

from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic


class Parity(gym.Env[Any, Any]):
    observation_space = gym.spaces.MultiBinary(4)
    action_space = gym.spaces.Discrete(2)

    def ask(self) -> Any:
        self.bits = self.np_random.integers(0, 2, 4).astype(np.int8)
        return self.bits

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.ask(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.bits.sum() % 2)
        return self.ask(), reward, True, False, {}


# %%
# Three agents: all synapses learn, those of hidden layers don't, and there are no hidden layers.

RATES: dict[str, Any] = {"alpha_output": 1e-3, "critic.alpha": 1e-3}
LEARNERS: dict[str, dict[str, Any]] = {
    "trained": {"hidden": 16, "critic.hidden": 16, "alpha_hidden": 1e-3},
    "frozen": {"hidden": 16, "critic.hidden": 16, "alpha_hidden": 0.0},
    "none": {"hidden": 0, "critic.hidden": 0},
}
agents = {
    name: SpikingActorCritic(Parity(), "deep", seed=1, **RATES, **options)
    for name, options in LEARNERS.items()
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
for name, agent in agents.items():
    rewards = np.array([episode.ret for episode in agent.learn(total_episodes=20_000)])
    left.plot(rewards.reshape(-1, 500).mean(1), label=name)
left.set_xlabel("500 questions")
left.set_ylabel("share of right answers")
left.legend(frameon=False)

# %%
# Weights from the four bits to each hidden neuron: which bits it waits for, and which it rejects.

weights = agents["trained"].weights["input_hidden"]
most = np.abs(weights).max()
right.imshow(weights, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
right.set_xlabel("hidden neuron")
right.set(ylabel="bit", yticks=range(4), xticks=range(0, 16, 5))
figure.tight_layout()
