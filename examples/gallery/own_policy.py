"""
Write a policy
==============

Say how votes become probabilities: here the softmax, but even where no action has enough votes.
"""

import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic
from neurorl.errors import FallbackWarning
from neurorl.models.agent.policies import Policy, explore, softmax


@dataclass(frozen=True, eq=False)
class Careful(Policy):
    """Draw from the softmax of votes, and evenly where no action has *least* votes."""

    beta: float = 0.15
    least: float = 3.0

    def distribution(self, votes: np.ndarray) -> np.ndarray:
        """Return the probability of each action."""
        return explore(softmax(votes, self.beta), float(votes.max() < self.least))


votes = np.arange(21.0)
policy = Careful(least=5.0)
chances = [policy.distribution(np.array([v, 5.0 if v >= 5 else 2.0]))[0] for v in votes]
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(votes, chances, ".-")
axes.set(xlabel="votes for the first action", ylabel="its probability")

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FallbackWarning)  # it runs in NumPy, and says so
    agent = SpikingActorCritic("CartPole-v1", policy=policy, seed=1)
    agent.learn(total_episodes=2)
print(agent.config.policy)
