"""
Write an environment
====================

Any Gymnasium environment is a task: here a light that moves left or right, and a switch to follow
it.
"""

from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic, evaluate


class Follow(gym.Env[np.ndarray, np.int64]):
    """Show where a light is, in [0, 1]; the right action says on which half."""

    observation_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode of 20 lights."""
        super().reset(seed=seed)
        self.left = 20
        return self.light(), {}

    def light(self) -> np.ndarray:
        """Return where the next light is."""
        self.position = float(self.np_random.random())
        return np.array([self.position], np.float32)

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Reward the right half by 1, and show the next light."""
        reward = float(int(action) == int(self.position > 0.5))
        self.left -= 1
        return self.light(), reward, self.left == 0, False, {}


agent = SpikingActorCritic(Follow(), seed=1)
before = evaluate(agent, episodes=20, env=Follow())["mean_return"]
agent.learn(total_episodes=150)
after = evaluate(agent, episodes=20, env=Follow())["mean_return"]
print(f"right answers of 20: {before:.1f} before, {after:.1f} after")

# %%
# What it answers, for each place of the light.
places = np.linspace(0, 1, 101)
answers = [np.mean([agent.predict(np.array([x], np.float32)) for _ in range(5)]) for x in places]
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(places, answers, ".")
axes.set(xlabel="place of the light", ylabel="mean action of 5")
