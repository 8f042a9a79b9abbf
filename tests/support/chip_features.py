"""Name the features that networks in chip arithmetic can have."""

from __future__ import annotations

from neurorl.testing import FEATURES

REFUSED_ON_CHIPS = (
    *("neurons by equations", "short-term plasticity"),
    *("values for each step", "gap junctions"),
)
"""Name those that chip arithmetic refuses by name."""
CHIP_FEATURES = tuple(name for name in FEATURES if name not in REFUSED_ON_CHIPS)
