"""Return the simulator of a backend, of the class that a test knows it to be."""

from __future__ import annotations

from neurorl.backends.base import Backend
from neurorl.backends.loihi import LoihiSimulator


def loihi_of(backend: Backend) -> LoihiSimulator:
    assert isinstance(backend.simulator, LoihiSimulator)
    return backend.simulator
