"""Name the features that networks in chip arithmetic can have."""

from __future__ import annotations

from neurorl.testing import FEATURES

CHIP_FEATURES = tuple(
    name for name in FEATURES if name not in ("neurons by equations", "short-term plasticity")
)
"""List all but equation neurons and short-term plasticity, which are refused there by name."""
