"""Inspect a network or agent without training it: cost, quantisation, deployment."""
