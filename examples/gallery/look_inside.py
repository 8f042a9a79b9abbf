"""
Look inside an agent that learns
================================

Record spikes, eligibilities, weights, the modulator and the value while an agent trains.
"""

from neurorl import Recorder, SpikingActorCritic, plot

names = ["hidden.spikes", "input_hidden.weights", "input_hidden.eligibility", "modulator", "value"]
recorder = Recorder(names, episodes=2, every=5)  # every second episode, every fifth decision
agent = SpikingActorCritic("neurorl/GridWorld-v0", seed=1)
agent.learn(total_episodes=30, record=recorder)

# %%
# The spikes of the hidden units in the last decision.
spikes = plot.raster(recorder)
last = recorder.times("value")[-1]
spikes.axes[0].set_xlim(last, last + 1)

# %%
# The modulator and the value that it is computed from.
signals = plot.traces(recorder, ["modulator", "value"])

# %%
# Eligibilities come and go; weights follow where the modulator met them.
learned = plot.weights(recorder)
