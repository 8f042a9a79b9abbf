"""Witnesses: what other simulators say of the same networks."""
