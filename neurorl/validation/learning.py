"""Training in several lanes, compared after every update.

Each lane has an agent and an environment of its own, with the same seeds. As long as two decide
alike they see the same, so what they learn can be compared number by number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import Inputs
from neurorl.network.description import Network
from neurorl.network.serialization import FloatArray
from neurorl.validation.compare import Row
from neurorl.validation.lanes import Lane
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.students import QUANTITIES, Snapshot, Student
from neurorl.validation.subject import Subject
from neurorl.validation.tolerance import Tolerance

__all__ = ["Contrast", "Moment", "Training", "train", "training_rows"]

Key = tuple[str, str]


@dataclass(frozen=True)
class Training:
    """What came of one lane's training; last: its snapshot after the last update."""

    lane: Lane
    updates: int
    returns: list[float]
    last: Snapshot


@dataclass(frozen=True)
class Moment:
    """The first update in which two lanes differ, and first in what.

    before, after: the first lane's snapshots. held: the other's quantity after it. inputs, t: of
    its window. apart: the largest difference. windows: all until then, see `Student.log`; None if
    they weren't kept.
    """

    update: int
    quantity: str
    name: str
    before: Snapshot
    after: Snapshot
    held: FloatArray
    inputs: Inputs
    t: int
    apart: float
    windows: list[InputWindow] | None


@dataclass
class Contrast:
    """Two lanes, update by update.

    odd: update and episode in which each quantity first differs. agree: updates for which both
    decide alike; None while they still do. apart, peak: root mean square difference at the last of
    these, and the first lane's largest value until then.
    """

    a: Student
    b: Student
    updates: int = 0
    odd: dict[Key, dict[str, int]] = field(default_factory=dict)
    moment: Moment | None = None
    agree: int | None = None
    odd_while_agreeing: set[Key] = field(default_factory=set)
    apart: dict[Key, float] = field(default_factory=dict)
    peak: dict[Key, float] = field(default_factory=dict)

    def start(self) -> None:
        """Before the first update."""
        self._see(self.a.snapshot, 0)

    def update(self, before: Snapshot) -> None:
        """After an update of both; before: the first lane's snapshot before it."""
        if self.agree is None and self.a.action != self.b.action:
            self.agree = self.updates
        self._see(before, self.updates)
        self.updates += 1

    def _see(self, before: Snapshot, update: int) -> None:
        one, other = self.a.snapshot, self.b.snapshot
        odd = [key for key in one if not _equal(one[key], other[key])]
        for key in odd:
            self.odd.setdefault(key, {"update": update, "episode": self.a.episode})
        if odd and self.moment is None:
            key = min(odd, key=lambda key: QUANTITIES.index(key[0]))
            apart = float(np.nan_to_num(np.abs(_number(one[key]) - _number(other[key]))).max())
            log = None if self.a.log is None else list(self.a.log)
            held = _number(other[key])
            self.moment = Moment(
                update, *key, before, one, held, self.a.inputs, self.a.t, apart, log
            )
        if self.agree is None:
            self.odd_while_agreeing |= set(odd)
            for key in one:
                self._measure(key, one[key], other[key])

    def _measure(self, key: Key, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> None:
        difference = np.nan_to_num(_number(one) - _number(other))
        self.apart[key] = float(np.sqrt(np.mean(difference**2))) if difference.size else 0.0
        largest = float(np.nan_to_num(np.abs(_number(one))).max(initial=0.0))
        self.peak[key] = max(self.peak.get(key, 0.0), largest)


def train(
    subject: Subject,
    lanes: Sequence[Lane],
    seed: int,
    updates: int,
    advance: Callable[[int], None] | None = None,
) -> tuple[list[Training], list[Contrast]]:
    """Train in every lane from the subject's weights; contrasts of the others with the first."""
    with ExitStack() as stack:
        students = [stack.enter_context(Student(subject, x, seed, updates)) for x in lanes]
        contrasts = [Contrast(students[0], other) for other in students[1:]]
        for contrast in contrasts:
            contrast.start()
        for _ in range(updates):
            before = students[0].snapshot
            for student in students:
                student.update()
            for contrast in contrasts:
                contrast.update(before)
            if advance is not None:
                advance(len(lanes))
        trainings = [Training(s.lane, updates, s.returns, s.snapshot) for s in students]
    return trainings, contrasts


def training_rows(network: Network, seen: Contrast, tolerance: Tolerance) -> list[Row]:
    """A row for each quantity of each projection, the decisions and the returns."""
    exact = seen.a.lane.must_equal(seen.b.lane)
    keys = [key for key in seen.a.snapshot if key[0] not in ("spikes", "critic")]
    return [
        *(_learned(network, key, seen, exact, tolerance) for key in keys),
        _decisions(seen, exact),
        _returns(seen, exact, tolerance),
    ]


def _learned(network: Network, key: Key, seen: Contrast, exact: bool, tolerance: Tolerance) -> Row:
    quantity, name = key
    agree = seen.updates if seen.agree is None else seen.agree
    odd = key in (seen.odd if exact else seen.odd_while_agreeing)
    difference = seen.apart[key] / _full_scale(network, key, seen)
    return {
        **_row(f"learning: {quantity}", network.projection(name).post, seen),
        "projection": name,
        "verdict": tolerance.verdict(not odd, exact, difference, "learned"),
        "tolerance": 0.0 if exact else tolerance.learned,
        "difference": difference,
        "compared": seen.updates if exact else agree,
        "first_divergence": seen.odd.get(key) if odd else None,
    }


def _full_scale(network: Network, key: Key, seen: Contrast) -> float:
    """A weight's bound; of what has none, the largest value so far, or 1 if all were 0."""
    plasticity = network.projection(key[1]).plasticity
    if key[0] in ("weights", "in force") and plasticity is not None:
        return max(abs(plasticity.low), abs(plasticity.high))
    return seen.peak[key] or 1.0


def _row(quantity: str, population: str, seen: Contrast) -> Row:
    return {
        "quantity": quantity,
        "population": population,
        "projection": None,
        "backend_a": seen.a.lane.label,
        "backend_b": seen.b.lane.label,
    }


def _decisions(seen: Contrast, exact: bool) -> Row:
    """While both see the same, so up to the first that differs: a count, not a share."""
    equal = seen.agree is None
    first = None if seen.agree is None else {"update": seen.agree, "episode": None}
    return {
        **_row("learning: decisions", "output", seen),
        "verdict": "exact" if equal else "different" if exact else "within",
        "tolerance": 0.0 if exact else None,
        "difference": None,
        "compared": seen.updates,
        "equal_until": seen.updates if seen.agree is None else seen.agree,
        "first_divergence": first,
    }


def _returns(seen: Contrast, exact: bool, tolerance: Tolerance) -> Row:
    one, other = np.array(seen.a.returns), np.array(seen.b.returns)
    odd = next((k for k, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), None)
    equal = odd is None and len(one) == len(other)
    difference = _standard_errors(one, other)
    return {
        **_row("learning: returns", "output", seen),
        "verdict": tolerance.verdict(equal, exact, difference or 0.0, "returns"),
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
    return apart / float(error) if error > 0 else None


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _number(x: npt.NDArray[Any]) -> FloatArray:
    return np.asarray(x, dtype=np.float64)
