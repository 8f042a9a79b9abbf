"""Share what all tests need."""

from __future__ import annotations

import pytest

from neurorl.native import toolchain
from neurorl.native.build import library


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> None:
    """Compile the learning loop before the first test, so that none begins in NumPy meanwhile."""
    if toolchain.problem() is None:
        library()
