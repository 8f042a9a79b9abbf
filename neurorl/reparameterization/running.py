"""Turn episodes that are being played into arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.agents.episodes import SCORES, OpenEpisode
from neurorl.network.restoring import take, take_counts
from neurorl.numerics.arrays import Array

State = dict[str, Array]


def running_state(running: Sequence[OpenEpisode], template: Array) -> State:
    """Return the episodes of one replica as arrays.

    template: an action of zeros, with the shape and dtype of those that were taken.
    """
    actions = np.array([a for r in running for a in r.actions], dtype=template.dtype)
    return {
        "number": np.array([r.number for r in running], dtype=np.int64),
        "length": np.array([len(r.actions) for r in running], dtype=np.int64),
        "actions": actions.reshape(-1, *template.shape),
        **{name: np.array([getattr(r, name) for r in running]) for name in SCORES},
    }


def running_from(
    state: State, n: int, n_actions: int, begun: int, template: Array
) -> list[OpenEpisode]:
    """Return what `running_state` described, of *n* environments. Raises RunError.

    n_actions: how many there are. begun: number of episodes begun so far, the running ones last.
    template: as of `running_state`.
    """
    lengths = take_counts(state, "length", n)
    numbers = take(state, "number", (n,), "whole", 0, begun - 1)
    shape = (int(lengths.sum()), *template.shape)
    if template.dtype.kind == "f":
        actions = take(state, "actions", shape, low=-1.0, high=1.0)
    else:
        actions = take(state, "actions", shape, "whole", 0, n_actions - 1)
    scores = {name: take(state, name, (n,)) for name in SCORES}
    episodes = []
    for e, taken in enumerate(np.split(actions, np.cumsum(lengths)[:-1])):
        running = OpenEpisode(int(numbers[e]), actions=taken.tolist())
        for name, score in scores.items():
            setattr(running, name, float(score[e]))
        episodes.append(running)
    return episodes
