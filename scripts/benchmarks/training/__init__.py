"""Measure an update of a spiking network by gradients, here and in other libraries."""
