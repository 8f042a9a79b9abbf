"""Run in C++ what the learning loop does in every environment step; compiled once for a machine.

Each file in ``src/`` is the twin of a module of `neurorl` in NumPy, which is the definition.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["SOURCES"]

SOURCES = Path(__file__).parent / "src"
