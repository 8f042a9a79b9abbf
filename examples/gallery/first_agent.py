"""
Train a first agent
===================

Train a spiking actor-critic on the gridworld by its local rule, and play it on two simulators.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Recorder, SpikingActorCritic, evaluate

recorder = Recorder(["modulator"])
agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="native", seed=1)
agent.learn(total_episodes=100, record=recorder)
print("mean discounted return:", evaluate(agent, episodes=50)["mean_discounted_return"])

# %%
# The modulator is the TD error, which every synapse hears. It shrinks as values come true.
td_error = np.abs(recorder["modulator"]).ravel()
smooth = np.convolve(td_error, np.ones(50) / 50, mode="valid")
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(smooth)
axes.set(xlabel="decision", ylabel="mean |TD error| of 50")

# %%
# The agent is a file; another simulator plays the same network.
agent.save("gridworld.npz")
on_chip = SpikingActorCritic.load("gridworld.npz", backend="loihi")
print("in the chip's integers:", evaluate(on_chip, episodes=50)["mean_discounted_return"])
