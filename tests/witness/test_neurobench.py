"""NeuroBench's own counts of a torch network against `neurorl.cost`, on the same spikes."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.witness("neurobench")
