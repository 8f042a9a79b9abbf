"""Make cases whose bits no change may alter, and digest what they compute.

`CASES` has them by name; `tests/bits/digests.json` holds the digests, which `scripts/bits.py`
writes. The conformance vectors, whose bits are guarded too, are files with a test of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guarded.agents import AGENTS
from guarded.digest import Digests
from guarded.learning import LEARNING
from guarded.networks import NETWORKS
from guarded.recorded import RECORDED

__all__ = ["CASES", "Digests"]

CASES: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    **NETWORKS,
    **LEARNING,
    **AGENTS,
    **RECORDED,
}
"""Map the name of each case to a function that returns the arrays that it computes, by name."""
