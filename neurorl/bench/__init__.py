"""Measure what a training loop costs: neurorl's backends, a floor in C, and other libraries."""
