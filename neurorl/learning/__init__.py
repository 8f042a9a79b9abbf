"""From an observation to a change of weights: learner, memory, writes and loops."""
