"""
Learn from several environments
===============================

Let one set of weights learn from eight environments at once, and compare the same number of
decisions.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for n in (1, 8):
    agent = SpikingActorCritic("CartPole-v1", seed=2, environments=n)
    agent.learn(total_steps=8000)
    returns = np.array([episode.ret for episode in agent.episodes])
    axes.plot(np.linspace(0, agent.steps_taken, returns.size), returns, ".-", label=f"{n} at once")
axes.set(xlabel="environment steps", ylabel="return of an episode")
axes.legend(frameon=False)
