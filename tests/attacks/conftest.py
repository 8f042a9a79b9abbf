"""Share fixtures of the tests that attack runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attacker import Attacker


@pytest.fixture(scope="module")
def attacker() -> Iterator[Attacker]:
    """Start the process that trains and is killed."""
    with Attacker() as started:
        yield started
