"""
Play a pretrained agent
=======================

Load an agent of the zoo by its name, see how it learned, and play it where it never did.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic, evaluate
from neurorl.storage.zoo import agents, find

for name, about in agents().items():
    print(f"zoo:{name:<24} {about.env}, {about.rule}, learned in {about.arithmetic} arithmetic")

# %%
# Each is an ordinary run directory: every command takes ``zoo:NAME``, and its files can be read.
file = find("cartpole-lif") / "episodes.csv"
returns, steps = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 3), unpack=True)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(steps, returns, ".", markersize=3, color="0.6")
axes.plot(steps[19:], np.convolve(returns, np.ones(20) / 20, mode="valid"))
axes.set(xlabel="environment step", ylabel="return, and mean of 20", title="zoo:cartpole-lif")

# %%
# It learned in floating point; Loihi's integers play it as well.
agent = SpikingActorCritic.load("zoo:cartpole-lif")
for backend in ("reference", "loihi"):
    played = evaluate(agent, episodes=5, backend=backend)
    spikes = played["spikes_per_decision"]
    print(f"{backend}: return {played['mean_return']:.0f}, {spikes:.0f} spikes a decision")
