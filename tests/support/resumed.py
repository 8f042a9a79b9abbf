"""Compare what learners are after they went on in different ways."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurorl import ReparameterizedActorCritic


def same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether two states have equal arrays, times on the clock aside."""
    clock = {key for key in a if key.endswith("wall_s")}
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a.keys() - clock)


def check_saved_goes_on(
    stopped: ReparameterizedActorCritic,
    whole: ReparameterizedActorCritic,
    path: Path,
    stop: int,
    end: int,
) -> None:
    """Save an agent after *stop* steps, and see that it comes to what *whole* does after *end*."""
    stopped.learn(total_steps=stop)
    stopped.save(path)
    again = ReparameterizedActorCritic.load(path)
    for learner in (again, whole):
        learner.learn(total_steps=end)
    assert again.episodes == whole.episodes
    assert same(again.state(), whole.state())
