"""Keep the running statistics of Gymnasium's wrappers that normalise what is seen or paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from gymnasium.wrappers.utils import RunningMeanStd

from neurorl.numerics.arrays import Array
from neurorl.tasks.kinds import Environment, layers_of

_MOMENTS = ("mean", "var", "count")


def statistics_of(env: Environment) -> dict[str, Array]:
    """Return copies of each such wrapper's statistics by name, the outermost wrapper first."""
    found: dict[str, Array] = {}
    for n, layer in enumerate(_normalising(env)):
        found |= {f"{n}.{name}": np.array(getattr(_moments(layer), name)) for name in _MOMENTS}
        if isinstance(layer, NormalizeReward):
            found[f"{n}.discounted"] = np.array(layer.discounted_reward)
    return found


def put_statistics(env: Environment, statistics: Mapping[str, Array]) -> None:
    """Let *env* go on from the `statistics_of` an environment with the same wrappers."""
    for n, layer in enumerate(_normalising(env)):
        moments = _moments(layer)
        moments.mean, moments.var = (statistics[f"{n}.{name}"].copy() for name in _MOMENTS[:2])
        # An array of a count would make float64 of means in float32.
        moments.count = float(statistics[f"{n}.count"])
        if isinstance(layer, NormalizeReward):
            layer.discounted_reward = statistics[f"{n}.discounted"].copy()


def carry_over(env: Environment, copy: Environment) -> None:
    """Let a *copy* of *env* normalise as *env* does now, if it has the same wrappers."""
    statistics = statistics_of(env)
    if statistics_of(copy).keys() != statistics.keys():
        return
    put_statistics(copy, statistics)
    for layer, other in zip(_normalising(env), _normalising(copy), strict=True):
        other.update_running_mean = layer.update_running_mean


@contextmanager
def frozen(env: Environment) -> Iterator[None]:
    """Let statistics stay as they are, for an evaluation that changes no training."""
    layers = _normalising(env)
    before, updates = statistics_of(env), [layer.update_running_mean for layer in layers]
    for layer in layers:
        layer.update_running_mean = False
    try:
        yield
    finally:
        put_statistics(env, before)
        for layer, update in zip(layers, updates, strict=True):
            layer.update_running_mean = update


class _Normalising(Protocol):
    update_running_mean: bool


def _normalising(env: Environment) -> list[_Normalising]:
    kinds = (NormalizeObservation, NormalizeReward)
    return [layer for layer in layers_of(env) if isinstance(layer, kinds)]


def _moments(layer: _Normalising) -> RunningMeanStd:
    if isinstance(layer, NormalizeReward):
        return layer.return_rms
    assert isinstance(layer, NormalizeObservation)
    return layer.obs_rms
