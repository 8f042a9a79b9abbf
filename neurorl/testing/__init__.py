"""Test a backend: a network for each feature, and the contract suite that every backend must pass.

`neurorl.testing.contract` is the suite; the pytest plug-in `neurorl.testing.plugin` runs it on any
backend.
"""

from neurorl.testing.networks import FEATURES, random_network, rasters, same_state

__all__ = ["FEATURES", "random_network", "rasters", "same_state"]
