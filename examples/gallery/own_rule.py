"""
Write a rule
============

Write a three-factor rule as text. It is compiled as the rules of the library are.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Recorder, SpikingActorCritic, evaluate
from neurorl.rules import Rule

HOMEOSTATIC = Rule(
    "homeostatic",
    output="spike*phi*(1 - n/W)",
    hidden="spike*phi*b*exp(-2*n/W)",
)

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for rule in (HOMEOSTATIC, "spikes-only"):
    recorder = Recorder(["modulator"])
    agent = SpikingActorCritic("neurorl/GridWorld-v0", rule=rule, seed=3)
    agent.learn(total_episodes=100, record=recorder)
    name = rule if isinstance(rule, str) else rule.name
    print(name, evaluate(agent, episodes=50)["mean_discounted_return"])
    error = np.convolve(np.abs(recorder["modulator"]).ravel(), np.ones(100) / 100, mode="valid")
    axes.plot(error, label=name)
axes.set(xlabel="decision", ylabel="mean |TD error| of 100")
axes.legend(frameon=False)
