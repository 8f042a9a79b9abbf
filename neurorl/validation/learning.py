"""Training in several lanes, update by update: traces, eligibilities, weights, returns.

Each lane has an agent and an environment of its own, with the same seeds. As long as all decide
alike they see the same, so what they learn can be compared number by number.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import Inputs
from neurorl.described import FloatArray
from neurorl.description import Network
from neurorl.envgroup import SeparateEnvs
from neurorl.envs import make_env
from neurorl.replicas import Replicas
from neurorl.validation.compare import Row
from neurorl.validation.lanes import Lane
from neurorl.validation.subject import Subject
from neurorl.validation.tolerance import Tolerance

__all__ = ["QUANTITIES", "Training", "compare_training", "first_odd", "train"]

QUANTITIES = ("spikes", "trace", "eligibility", "weights", "in force", "critic")
"""What an update goes through, in this order."""

Snapshot = dict[tuple[str, str], npt.NDArray[Any]]


@dataclass
class Training:
    """Of one lane, an entry for each update.

    snapshots: by quantity and population or projection; before: the one before the first update.
    actions, rewards: of the environment.
    inputs, steps: the window's input and the number of its first step. returns: of finished
    episodes. episodes: that each update is of.
    """

    lane: Lane
    before: Snapshot
    snapshots: list[Snapshot] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    inputs: list[Inputs] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    episodes: list[int] = field(default_factory=list)


def train(
    subject: Subject,
    lane: Lane,
    seed: int,
    updates: int,
    advance: Callable[[int], None] | None = None,
) -> Training:
    """Train an agent from the subject's weights; the environment is a fresh one."""
    assert subject.config is not None
    assert subject.env is not None
    replicas = Replicas(
        SeparateEnvs([_another(subject.env)]),
        subject.config,
        subject.n_actions,
        (seed,),
        backend=lane.cls or lane.backend,
        arithmetic=lane.arithmetic,
        options=lane.options,
    )
    try:
        for name, weights in replicas.loop.memory.of(0).weights.items() if subject.weights else ():
            weights[...] = subject.weights.get(name, weights)
        if subject.weights:
            replicas.loop.write(0)
        return _trained(subject.network, lane, replicas, updates, advance)
    finally:
        replicas.close()


def _trained(
    network: Network,
    lane: Lane,
    replicas: Replicas,
    updates: int,
    advance: Callable[[int], None] | None,
) -> Training:
    first = _snapshot(network, replicas)
    found, window = Training(lane, first), replicas.loop.window
    for _ in _steps(replicas, updates):
        found.snapshots.append(_snapshot(network, replicas))
        found.actions.append(int(replicas.loop.actions[0]))
        found.inputs.append({name: np.array(x) for name, x in window.inputs.items()})
        found.steps.append(replicas.backend.t - replicas.config.window)
        found.episodes.append(len(replicas.episodes[0]))
        if advance is not None:
            advance(1)
    found.returns = [episode.ret for episode in replicas.episodes[0]]
    found.lengths = [episode.length for episode in replicas.episodes[0]]
    return found


def _steps(replicas: Replicas, updates: int) -> Iterator[int]:
    """So many environment steps, each with its update."""
    playing = replicas.play(updates)  # more episodes than can end
    for k, _ in enumerate(playing):
        yield k
        if k == updates - 1:
            playing.close()  # type: ignore[attr-defined]
            return


def _snapshot(network: Network, replicas: Replicas) -> Snapshot:
    memory = replicas.loop.memory.of(0)
    found: Snapshot = {}
    for name, raster in replicas.loop.window.rasters.items():
        found["spikes", name] = raster.copy()
    for name, trace in memory.trace.items():
        post = network.projection(name).post
        found["trace", name] = np.concatenate([trace, memory.norm[post]])
        found["eligibility", name] = memory.eligibility[name].copy()
        found["weights", name] = memory.weights[name].copy()
        found["in force", name] = replicas.backend.weights(name)
    found["critic", "critic"] = np.concatenate([memory.value, memory.mean_reward, memory.expected])
    return found


def compare_training(subject: Subject, a: Training, b: Training, tolerance: Tolerance) -> list[Row]:
    """A row for each quantity of each projection, the decisions and the returns."""
    exact = a.lane.must_equal(b.lane)
    agree = _agreeing(a, b)
    keys = [key for key in a.snapshots[0] if key[0] not in ("spikes", "critic")]
    rows = [_learned(subject, key, a, b, exact, agree, tolerance) for key in keys]
    return [
        *(row for row in rows if row is not None),
        _decisions(a, b, exact, tolerance),
        _returns(a, b, exact, tolerance),
    ]


def first_odd(a: Training, b: Training) -> tuple[int, str, str] | None:
    """Update, quantity and name of what differs first; None if nothing does."""
    pairs = zip([a.before, *a.snapshots], [b.before, *b.snapshots], strict=True)
    for k, (one, other) in enumerate(pairs):
        odd = [key for key in one if not _equal(one[key], other[key])]
        if odd:
            return (max(k - 1, 0), *min(odd, key=lambda key: QUANTITIES.index(key[0])))
    return None


def _agreeing(a: Training, b: Training) -> int:
    """Updates for which both saw and did the same."""
    odd = [k for k, (i, j) in enumerate(zip(a.actions, b.actions, strict=True)) if i != j]
    return odd[0] if odd else len(a.actions)


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _learned(
    subject: Subject,
    key: tuple[str, str],
    a: Training,
    b: Training,
    exact: bool,
    agree: int,
    tolerance: Tolerance,
) -> Row | None:
    """None if the agents never decided alike, so that there is nothing to compare."""
    n = len(a.snapshots) if exact else agree
    if not n:
        return None
    quantity, name = key
    odd = [k for k in range(n) if not _equal(a.snapshots[k][key], b.snapshots[k][key])]
    one, other = (np.nan_to_num(t.snapshots[n - 1][key]) for t in (a, b))
    apart = float(np.sqrt(np.mean((one - other) ** 2)))
    difference = apart / _full_scale(subject.network, key, a.snapshots[:n])
    return {
        **_row(f"learning: {quantity}", subject.network.projection(name).post, a, b),
        "projection": name,
        "verdict": tolerance.verdict(not odd, exact, difference, "learned"),
        "tolerance": 0.0 if exact else tolerance.learned,
        "difference": difference,
        "compared": n,
        "first_divergence": {"update": odd[0], "episode": a.episodes[odd[0]]} if odd else None,
    }


def _full_scale(network: Network, key: tuple[str, str], snapshots: list[Snapshot]) -> float:
    """A weight's bound; of what has none, the largest value so far, or 1 if all were 0."""
    plasticity = network.projection(key[1]).plasticity
    if key[0] in ("weights", "in force") and plasticity is not None:
        return max(abs(plasticity.low), abs(plasticity.high))
    return max(float(np.nan_to_num(np.abs(s[key])).max(initial=0.0)) for s in snapshots) or 1.0


def _row(quantity: str, population: str, a: Training, b: Training) -> Row:
    return {
        "quantity": quantity,
        "population": population,
        "projection": None,
        "backend_a": a.lane.label,
        "backend_b": b.lane.label,
    }


def _decisions(a: Training, b: Training, exact: bool, tolerance: Tolerance) -> Row:
    """While both see the same, so up to the first that differs: a count, not a share."""
    agree, n = _agreeing(a, b), len(a.actions)
    verdict = "exact" if agree == n else "different" if exact else "within"
    return {
        **_row("learning: decisions", "output", a, b),
        "verdict": verdict,
        "tolerance": 0.0 if exact else None,
        "difference": None,
        "compared": n,
        "equal_until": agree,
        "first_divergence": {"update": agree, "episode": a.episodes[agree]} if agree < n else None,
    }


def _returns(a: Training, b: Training, exact: bool, tolerance: Tolerance) -> Row:
    one, other = np.array(a.returns), np.array(b.returns)
    odd = next((k for k, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), None)
    equal = odd is None and len(one) == len(other)
    difference = _standard_errors(one, other)
    verdict = tolerance.verdict(equal, exact, difference or 0.0, "returns")
    return {
        **_row("learning: returns", "output", a, b),
        "verdict": verdict,
        "tolerance": 0.0 if exact else tolerance.returns,
        "difference": difference,
        "episodes_a": len(one),
        "episodes_b": len(other),
        "mean_return_a": float(one.mean()) if len(one) else None,
        "mean_return_b": float(other.mean()) if len(other) else None,
        "first_divergence": None if odd is None else {"update": None, "episode": odd},
    }


def _standard_errors(one: FloatArray, other: FloatArray) -> float | None:
    """Difference of means over its standard error (Welch); None of fewer than 5 episodes."""
    if min(len(one), len(other)) < 5:
        return None
    error = np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    apart = abs(float(one.mean() - other.mean()))
    return apart / float(error) if error > 0 else (0.0 if apart == 0 else float("inf"))


def _another(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """A second environment of the same kind."""
    return make_env(env.spec.id) if env.spec is not None else copy.deepcopy(env)
