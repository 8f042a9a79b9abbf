"""
Write an encoder
================

Code an activation by when an input spikes, in place of how often.
"""

import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic
from neurorl.errors import FallbackWarning
from neurorl.models.agent.encoders import Encoder

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Latency(Encoder):
    """Spike once, in the step that an activation says, or up to *jitter* steps later."""

    jitter: float = 1.0

    def draws(self, window: int) -> int:
        """Return how many uniform draws an input takes."""
        return 1

    def encode(self, activation: Array, u: Array, window: int) -> Array:
        """Return the spikes, of shape (window, inputs)."""
        step = np.floor((1 - activation) * window + self.jitter * u[0])
        return np.asarray(np.arange(window)[:, None] == step)


encoder = Latency(jitter=2.0)
activation = np.linspace(0, 1, 40)
spikes = encoder.encode(activation, np.random.default_rng(0).random((1, 40)), 20)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(*np.nonzero(spikes), "|")
axes.set(xlabel="step of the window", ylabel="input, from 0 to full activation")

# %%
# An agent takes the object; what is not compiled runs in NumPy, with a warning that says so.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FallbackWarning)
    agent = SpikingActorCritic("neurorl/GridWorld-v0", encoder=encoder, seed=1)
    agent.learn(total_episodes=5)
print(agent.config.encoder)
