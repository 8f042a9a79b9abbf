"""The device of the torch backend: the CPU by default, others refused by a line or alike there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurorl import Network, Population, Projection, Source, Uniform, load
from neurorl.errors import ArgumentError, BackendUnavailableError, UnsupportedError
from neurorl.models import CubaLIF

NETWORK = Network(
    (Source("in", 20), Population("cells", 30, CubaLIF(5e-3, 20e-3, 0.5, noise=0.1))),
    (
        Projection("up", "in", "cells", Uniform(0.0, 0.3)),
        Projection("back", "cells", "cells", Uniform(-0.1, 0.1), delay=3e-3),
    ),
    1e-3,
)


def spikes(**options: Any) -> tuple[Any, Any]:
    """Return the rasters of two windows, the second from a state that was restored."""
    rng = np.random.default_rng(1)
    with load("torch", NETWORK, seed=[1, 2], **options) as backend:
        first = backend.step({"in": rng.random((200, 40)) < 0.1}, 200)["cells"]
        states = [backend.state(k) for k in (0, 1)]
        backend.reset()
        for k, state in enumerate(states):
            backend.restore(state, k)
        backend.set_weights("up", backend.weights("up"))
        return first, backend.step({"in": rng.random((200, 40)) < 0.1}, 200)["cells"]


def test_the_cpu_is_the_default() -> None:
    for one, other in zip(spikes(), spikes(device="cpu", engine="eager"), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("device", ["tpu", "", "cuda:x", "meta", 0, None])
def test_unknown_devices_are_refused(device: Any) -> None:
    with pytest.raises(ArgumentError, match=r"device: .*limit cpu, cuda"):
        load("torch", NETWORK, device=device)


def test_a_device_that_is_not_there_is_refused() -> None:
    n = torch.cuda.device_count()
    with pytest.raises(BackendUnavailableError, match="no such CUDA device here"):
        load("torch", NETWORK, device=f"cuda:{n}")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_statistics_are_alike_on_cuda() -> None:
    for here, there in zip(spikes(), spikes(device="cuda"), strict=True):
        assert abs(here.mean() - there.mean()) < 0.1 * here.mean()
    with pytest.raises(UnsupportedError, match="is of the CPU"):
        load("torch", NETWORK, device="cuda", engine="compiled")
