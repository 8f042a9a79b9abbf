"""
Take on a task that nobody tuned
================================

For a task without a preset the agent is chosen by its spaces and by a first play of random steps.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import SpikingActorCritic, evaluate

agent = SpikingActorCritic("FrozenLake-v1", seed=1, backend="native")
print(agent.config.cells, agent.config.reward_scale)
agent.learn(total_steps=60_000)
print("share of goals, slippery:", evaluate(agent, episodes=200)["mean_return"])

# %%
# What it does in each place, by the votes of its actions.
actions = np.array([agent.predict(state) for state in range(16)]).reshape(4, 4)
figure, axes = plt.subplots(figsize=(3.5, 3.5), layout="constrained")
holes = {(1, 1), (1, 3), (2, 3), (3, 0)}
for (row, column), action in np.ndenumerate(actions):
    text = (
        "hole" if (row, column) in holes else "goal" if (row, column) == (3, 3) else "←↓→↑"[action]
    )
    axes.text(column, row, text, ha="center", va="center", fontsize=14)
axes.set(xlim=(-0.5, 3.5), ylim=(3.5, -0.5), xticks=[], yticks=[])
