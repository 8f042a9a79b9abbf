"""Do what copies of the reference do instead: parts for `wrapped`."""

from __future__ import annotations

from typing import Any

import numpy as np


def previous(backend: Any, write: Any, name: str) -> None:
    """Write the weights of the write before."""
    weights = backend.simulated.weights
    rounded = weights[name]
    weights[name] = backend.__dict__.setdefault("kept", dict(backend.first))[name]
    write(name)
    weights[name] = rounded
    backend.kept[name] = rounded.copy()


def third_lost(backend: Any, write: Any, name: str) -> None:
    count = backend.__dict__["count"] = backend.__dict__.get("count", 0) + 1
    if count % 2 == 0:
        write(name)


def clear_u(backend: Any) -> None:
    for neurons in backend.neurons.values():
        neurons.u[:] = 0


def only_state(backend: Any, replicas: Any) -> None:
    for neurons in backend.neurons.values():
        for x in (neurons.u, neurons.v, neurons.dead):
            x[:] = 0


def spike_and_current(neurons: Any, was: Any, over: Any) -> Any:
    over = was(over)
    neurons.u[over] = 0
    return over


def soft(neurons: Any, was: Any, over: Any) -> Any:
    before = neurons.v - neurons.threshold
    over = was(over)
    neurons.v[over] = before[over]
    return over


def kept(neurons: Any, was: Any, over: Any) -> Any:
    before = neurons.v.copy()
    over = was(over)
    neurons.v[over] = before[over]
    return over


def rectified(neurons: Any, was: Any, *arguments: Any) -> Any:
    return np.maximum(was(*arguments), 0)


def rewind(backend: Any) -> None:
    backend.steps = [t - 1 for t in backend.steps]


def twice(backend: Any) -> None:
    backend.steps = [t + 1 for t in backend.steps]
