"""Mark tests that need sanafe, a model of Loihi's energy and latency."""

from __future__ import annotations

import importlib.util

import pytest

needs_sanafe = pytest.mark.skipif(
    importlib.util.find_spec("sanafe") is None,
    reason="needs sanafe, under GPL-3.0, so it is in no extra but energy: pip install"
    " 'neurorl[energy]'",
)
