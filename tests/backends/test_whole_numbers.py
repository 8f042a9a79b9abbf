"""Check that whole numbers of NumPy are taken as Python's, and other numbers and kinds refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl import (
    Learning,
    Network,
    Plasticity,
    Population,
    Projection,
    Recorder,
    Recording,
    Source,
    SpikeTimes,
    SynapseLearning,
    load,
)
from neurorl.backends.spike_times import step_times
from neurorl.errors import ArgumentError
from neurorl.models import LIF
from neurorl.testing.rules import RULES

NETWORK = Network(
    (Source("input", 2), Population("cells", 3, LIF())),
    (Projection("into", "input", "cells", 0.4, plasticity=Plasticity(0.02, 0.0, 2.0)),),
)
OF_BACKEND: dict[str, Callable[[Any, Any], object]] = {
    "step": lambda backend, n: backend.step({}, n),
    "window": lambda backend, n: backend.window(n),
    "spike times": lambda backend, n: step_times(backend, {}, n),
    "Learning": lambda backend, n: Learning(backend).window({}, n),
    "SynapseLearning": lambda backend, n: SynapseLearning(backend, RULES["pairs"]()).window({}, n),
    "every": lambda backend, n: Recording(backend, ["cells.voltage"], every=n),
    "every window": lambda backend, n: Learning(backend).record(["into.weights"], every=n),
    "state": lambda backend, k: backend.state(k),
    "restore": lambda backend, k: backend.restore(backend.state(k), k),
    "reset": lambda backend, k: backend.reset([k]),
    "reset one": lambda backend, k: backend.reset(k),
    "learned state": lambda backend, k: Learning(backend).state(k),
}


@pytest.mark.parametrize("name", OF_BACKEND)
@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array])
@pytest.mark.parametrize("simulator", ["reference", "native"])
def test_of_a_backend(name: str, kind: Callable[[int], Any], simulator: str) -> None:
    with load(simulator, NETWORK, seed=[1, 2]) as backend:
        OF_BACKEND[name](backend, kind(1))


@pytest.mark.parametrize("name", OF_BACKEND)
@pytest.mark.parametrize("number", [1.0, "1", True, -1, np.float64(1.0), None])
def test_what_is_no_whole_number_is_refused(name: str, number: object) -> None:
    if (name, number) == ("reset one", None):  # all replicas
        return
    refused = pytest.raises(ArgumentError, match=r"must be a whole number \(got ")
    with load("reference", NETWORK, seed=[1, 2]) as backend, refused:
        OF_BACKEND[name](backend, number)


BY_NAME: dict[str, Callable[[Any, Any], object]] = {
    "step": lambda backend, x: backend.step(x, 5),
    "spike times": lambda backend, x: step_times(backend, x, 5),
    "restore": lambda backend, x: backend.restore(x),
    "Learning": lambda backend, x: Learning(backend).window(x, 5),
    "SynapseLearning": lambda backend, x: SynapseLearning(backend, RULES["pairs"]()).window(x, 5),
    "learned state": lambda backend, x: Learning(backend).restore(x),
    "signals": lambda backend, x: Learning(backend).window({}, 5, signals=x),
    "told later": lambda backend, x: Learning(backend).reinforce(1.0, signals=x),
    "signals of statements": lambda backend, x: SynapseLearning(backend, RULES["pairs"]()).window(
        {}, 5, signals=x
    ),
}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("given", [0.5, [1], "input", np.ones((5, 2), bool)])
def test_what_is_not_by_name_is_refused(name: str, given: object) -> None:
    refused = pytest.raises(ArgumentError, match=r"not by name \(got .*, limit a dict\)")
    with load("reference", NETWORK) as backend, refused:
        BY_NAME[name](backend, given)


def test_of_options_and_recorders() -> None:
    one: Any = np.int64(1)
    Recorder(["value"], episodes=one, every=one)
    load("native", NETWORK, threads=one).close()
    load("loihi", NETWORK, chips=one).close()
    assert SpikeTimes.of_seconds([0], [0.0], 1e-3, one, one).raster().shape == (1, 1)
