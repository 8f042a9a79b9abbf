"""
Act by numbers
==============

A population of spiking modules codes a number; exploration is Gaussian, and the rule hears its
score.
"""

from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic


class Reach(gym.Env[np.ndarray, np.ndarray]):
    """Show a target in [-1, 1]; pay less the further the action is from half of it."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Show a target."""
        super().reset(seed=seed)
        self.target = float(self.np_random.uniform(-1, 1))
        return np.array([self.target], np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """End the trial, with a reward of at most 1."""
        error = float(action[0]) - 0.5 * self.target
        return np.array([self.target], np.float32), 1 - error * error, True, False, {}


agent = SpikingActorCritic(Reach(), seed=1)
targets = np.linspace(-1, 1, 41)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for episodes in (1, 4000):
    agent.learn(total_episodes=episodes)
    moves = [agent.predict(np.array([x], np.float32))[0] for x in targets]
    axes.plot(targets, moves, ".", label=f"after {episodes} trials")
axes.plot(targets, targets / 2, color="0.6", label="the best")
axes.set(xlabel="target", ylabel="action")
axes.legend(frameon=False)
