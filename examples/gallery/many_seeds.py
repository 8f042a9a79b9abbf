"""
Train many seeds
================

A claim about learning needs many seeds: draw the quartiles of ten learning curves.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic

curves = []
for seed in range(10):
    agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="native", seed=seed)
    agent.learn(total_episodes=150)
    returns = np.array([episode.ret for episode in agent.episodes])
    curves.append(np.convolve(returns, np.ones(20) / 20, mode="valid"))

low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
episodes = np.arange(20, 151)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.fill_between(episodes, low, high, alpha=0.3, label="quartiles")
axes.plot(episodes, middle, label="median of 10 seeds")
axes.set(xlabel="episode", ylabel="mean return of 20 episodes")
axes.legend(frameon=False)

# %%
# From the command line: ``neurorl train gridworld --seeds 0..19 --jobs 2``.
