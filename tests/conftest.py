"""Share what all tests need."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from neurorl.backends.lookup import VARIABLE
from neurorl.native import toolchain
from neurorl.native.build import library

# A busy machine is no fault of a test.
settings.register_profile("no-clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no-clock")


# Who names no backend means the reference: many small networks, of which none is worth compiling.
os.environ[VARIABLE] = "reference"
QUICK_FOLDERS = {"models", "diagnostics"}
"""Name the folders whose tests take the quickest: agents learn there for thousands of steps."""


@pytest.fixture
def quickest_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the quickest backend where none is named, as everywhere outside of these tests."""
    monkeypatch.delenv(VARIABLE)


@pytest.fixture(autouse=True)
def backend_of_folder(request: pytest.FixtureRequest) -> None:
    """Take the quickest backend in some folders; all backends compute the same bits."""
    if request.path.parent.name in QUICK_FOLDERS:
        request.getfixturevalue("quickest_backend")


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> None:
    """Compile the learning loop before the first test, so that none begins in NumPy meanwhile."""
    if toolchain.problem() is None:
        library()


@pytest.fixture(scope="session", autouse=True)
def heeds_interrupts() -> Iterator[None]:
    """Heed Ctrl-C as in a terminal, though whoever started the tests may ignore it.

    The processes that tests start would ignore it, too.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
