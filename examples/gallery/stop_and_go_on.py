"""
Stop, and go on exactly
=======================

Save an agent halfway and load it: the second half is the same as if it had never stopped, to the
last bit.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic

whole = SpikingActorCritic("CartPole-v1", backend="native", seed=4)
whole.learn(total_episodes=60)

half = SpikingActorCritic("CartPole-v1", backend="native", seed=4)
half.learn(total_episodes=30)
half.save("half.npz")
again = SpikingActorCritic.load("half.npz", backend="native")
again.learn(total_episodes=60)  # of which 30 are done

for name, weights in whole.weights.items():
    assert np.array_equal(weights, again.weights[name]), name
print("every weight is equal")

# %%
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot([e.ret for e in whole.episodes], label="without a stop")
axes.plot([e.ret for e in again.episodes], "--", label="stopped after 30")
axes.set(xlabel="episode", ylabel="return")
axes.legend(frameon=False)
