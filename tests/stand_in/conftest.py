"""What the tests with the stand-in share."""

from __future__ import annotations

import pytest

from neurorl.backend import backend_class

backend_class("loihi")  # imports nengo-loihi without its warnings
from nengo_loihi.hardware.interface import HostSnip  # noqa: E402


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """nengo-loihi gives a chip 0.1 s for a step, which a busy machine may take to compile one."""
    monkeypatch.setattr(HostSnip, "recv_retries", 60_000)
