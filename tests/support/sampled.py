"""Choose the cases of a long test that the quick tests run; all of them run in the slow ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], every: int = 0) -> list[Any]:
    """Return the cases, of which the first and each *every*-th after it are quick; 0: only that."""
    return [
        case if k == 0 or (every and k % every == 0) else pytest.param(case, marks=pytest.mark.slow)
        for k, case in enumerate(cases)
    ]
