"""Episodes that are being played when an update is made, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.running import SCORES, Running

__all__ = ["running_from", "running_state"]

State = dict[str, npt.NDArray[Any]]


def running_state(running: Sequence[Running]) -> State:
    """The episodes of one replica as arrays."""
    return {
        "number": np.array([r.number for r in running], dtype=np.int64),
        "length": np.array([len(r.actions) for r in running], dtype=np.int64),
        "actions": np.array([a for r in running for a in r.actions], dtype=np.int64),
        **{name: np.array([getattr(r, name) for r in running]) for name in SCORES},
    }


def running_from(state: State) -> list[Running]:
    """What `running_state` described. Raises KeyError or ValueError if it isn't that."""
    parts = np.split(state["actions"], np.cumsum(state["length"])[:-1])
    found = []
    for e, (number, actions) in enumerate(zip(state["number"], parts, strict=True)):
        running = Running(int(number), actions=actions.tolist())
        for name in SCORES:
            setattr(running, name, float(state[name][e]))
        found.append(running)
    return found
