"""Turn observations into changes of weights: learner, memory, writes and loops."""
