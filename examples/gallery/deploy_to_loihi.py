"""
Deploy to Loihi
===============

Train in floating point, then play in the integers of Loihi's emulator; or learn in them from the
start.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic, evaluate

agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="native", seed=2)
agent.learn(total_episodes=150)
agent.save("float.npz")
results = {"float": evaluate(agent, episodes=100)["mean_discounted_return"]}
deployed = SpikingActorCritic.load("float.npz", backend="loihi")
results["float, played\nin integers"] = evaluate(deployed, episodes=100)["mean_discounted_return"]
native = SpikingActorCritic("neurorl/GridWorld-v0", backend="loihi", seed=2)
native.learn(total_episodes=150)
results["learned\nin integers"] = evaluate(native, episodes=100)["mean_discounted_return"]

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.bar(list(results), np.array(list(results.values())))
axes.axhline(1.12, linestyle="--", color="0.4", label="the optimum")
axes.set_ylabel("mean discounted return")
axes.legend(frameon=False)
