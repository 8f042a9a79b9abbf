"""
Train by gradients through stochastic spikes
============================================

Train the same network by the reparameterization trick and by its local rule.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import ReparameterizedActorCritic, SpikingActorCritic

local = SpikingActorCritic("neurorl/GridWorld-v0", backend="native", seed=1)
local.learn(total_episodes=150)
gradient = ReparameterizedActorCritic("neurorl/GridWorld-v0", seed=1)
gradient.learn(total_episodes=150)

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for name, agent in (("local rule", local), ("gradients", gradient)):
    returns = np.array([episode.ret for episode in agent.episodes])
    axes.plot(np.convolve(returns, np.ones(15) / 15, mode="valid"), label=name)
axes.set(xlabel="episode", ylabel="mean return of 15")
axes.legend(frameon=False)

# %%
# An agent that was trained by gradients plays on the chip's emulator like any other.
gradient.save("gradients.npz")
on_chip = SpikingActorCritic.load("gradients.npz", backend="loihi")
print(on_chip.predict(1))
