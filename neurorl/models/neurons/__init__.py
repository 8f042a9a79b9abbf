"""Describe neurons: leaky integrators, equations of your own, and those of the literature."""
