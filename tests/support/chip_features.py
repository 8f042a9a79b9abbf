"""Name the features that networks in chip arithmetic can have."""

from __future__ import annotations

from neurorl.testing import FEATURES

__all__ = ["CHIP_FEATURES"]

CHIP_FEATURES = tuple(name for name in FEATURES if name != "neurons by equations")
"""All but neurons by equations, which every backend refuses there by name."""
