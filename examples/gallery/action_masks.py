"""
Choose among allowed actions
============================

An environment says in ``info["action_mask"]`` what may be done; the policy chooses among that.
"""

from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic

PAY = np.array([0.2, 0.5, 1.0])


class Doors(gym.Env[np.int64, np.int64]):
    """Pay 0.2, 0.5 or 1.0 behind three doors; in state k, door k is shut."""

    observation_space = gym.spaces.Discrete(3)
    action_space = gym.spaces.Discrete(3)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Shut a door."""
        super().reset(seed=seed)
        self.shut = self.np_random.integers(3)
        return self.shut, {"action_mask": (np.arange(3) != self.shut).astype(np.int8)}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """End the trial with what is behind the door."""
        assert action != self.shut
        info = {"action_mask": (np.arange(3) != self.shut).astype(np.int8)}
        return self.shut, float(PAY[action]), True, False, info


agent = SpikingActorCritic(Doors(), seed=1)
agent.learn(total_episodes=1500)
returns = np.array([episode.ret for episode in agent.episodes])
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(np.convolve(returns, np.ones(100) / 100, mode="valid"))
axes.axhline((1 + 1 + 0.5) / 3, linestyle="--", color="0.4", label="the best")
axes.set(xlabel="trial", ylabel="mean reward of 100")
axes.legend(frameon=False)
for state in range(3):
    print("door", state, "is shut: takes", agent.predict(state, np.arange(3) != state))
