"""For whoever tests a backend: networks of every feature, and the suite that each must pass.

`neurorl.testing.contract` is that suite, `neurorl.testing.plugin` the plug-in of pytest by which it
runs on any backend.
"""

from neurorl.testing.networks import FEATURES, random_network, rasters, same_state

__all__ = ["FEATURES", "random_network", "rasters", "same_state"]
