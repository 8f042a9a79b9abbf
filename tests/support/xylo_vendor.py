"""Mark tests that need xylosim, the vendor's simulator of Xylo."""

from __future__ import annotations

import importlib.util

import pytest

REASON = (
    "needs xylosim: pip install xylosim. It states no licence, so no extra of neurorl installs it;"
    " conformance/xylo holds what it computed, and is checked without it"
)
needs_xylosim = pytest.mark.skipif(importlib.util.find_spec("xylosim") is None, reason=REASON)
