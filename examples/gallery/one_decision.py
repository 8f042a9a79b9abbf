"""
Follow an observation to an action
==================================

Play one decision in a window of steps, and see it travel: inputs, hidden units, votes.
"""

from neurorl import Recorder, SpikingActorCritic, plot

recorder = Recorder(["input.spikes", "hidden.spikes", "output.spikes"])
agent = SpikingActorCritic("CartPole-v1", seed=1)
agent.learn(total_episodes=1, record=recorder)

# %%
# All decisions of an episode, one window after the other.
figure = plot.raster(recorder)
