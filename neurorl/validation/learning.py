"""Train on several backends, and compare after every update.

Each backend has an agent and an environment of its own, with the same seeds. As long as two decide
alike they see the same, so what they learn can be compared number by number.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import numpy as np

from neurorl.agents.budget import Budget
from neurorl.agents.replicas import Replicas
from neurorl.backends.checks import Inputs
from neurorl.backends.spec import BackendSpec
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import PlainData
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.specification import copy_env
from neurorl.validation.compare import Pair, Row
from neurorl.validation.subject import InputWindow, Subject
from neurorl.validation.tolerance import Tolerance

_MOST_LOGGED = 10_000_000  # numbers
QUANTITIES = ("spikes", "trace", "eligibility", "variables", "weights", "in force", "critic")
"""List the quantities of a weight update in the order in which they are computed."""

Snapshot = Mapping[tuple[str, str], Array]
"""Map quantity and name of a population or projection to a copy of its values."""


class Student:
    """Train one backend's agent, with an environment of its own.

    snapshot: after the last update, or before the first. inputs, t: inputs and number of the first
    step of the last window. action, episode: of the last update. updates: an upper limit.
    log: every window so far, with the weights that were written before it; None if that is more
    than can be kept.
    """

    def __init__(self, subject: Subject, spec: BackendSpec, seed: int, updates: int) -> None:
        assert subject.config is not None
        assert subject.env is not None
        self.spec = spec
        self._network = subject.network
        is_registered = subject.env.spec is not None
        env = copy_env(subject.env) if is_registered else copy.deepcopy(subject.env)
        played = SeparateEnvs([env]), subject.config, subject.n_actions
        self._replicas = Replicas(*played, (seed,), backend=spec)
        memory = self._replicas.loop.memory.of(0)
        memory.restore_lasting(subject.lasting)
        for name, weights in subject.weights.items():
            memory.weights[name][...] = weights
        if subject.weights:
            self._replicas.loop.write(0)
        self._playing = self._replicas.play(Budget(updates + 1))  # more episodes than can end
        self.inputs: Inputs = {}
        self.log: list[InputWindow] | None = []
        self._logged = 0
        self._begins = True
        self.action = self.episode = self.t = 0
        self.snapshot: Snapshot = self._snapshot()

    def close(self) -> None:
        self._replicas.close()

    @property
    def returns(self) -> list[float]:
        """Return the returns of episodes that have ended."""
        return [episode.ret for episode in self._replicas.episodes[0]]

    def update(self) -> None:
        """Take one environment step, and learn from it."""
        replicas = self._replicas
        ended = len(replicas.episodes[0])
        self._begins = self._begins or ended != self.episode
        self.episode = ended
        next(self._playing)
        window = replicas.loop.window
        before = self.snapshot
        self.inputs = {name: np.array(values) for name, values in window.inputs.items()}
        self.action = int(replicas.loop.actions[0])
        self.t = replicas.backend.t - replicas.config.window
        self.snapshot = self._snapshot()
        self._note(before)
        self._begins = False

    def _note(self, before: Snapshot) -> None:
        """Add a window to the log; *before*: the snapshot before its update."""
        if self.log is None:
            return
        config = self._replicas.config
        weights = [(name, w) for (quantity, name), w in before.items() if quantity == "weights"]
        writes = weights if self.log else []
        fresh = self._begins or not config.carries
        offsets = {name: offset.copy() for name, offset in self._replicas.loop.offsets.items()}
        self.log.append(InputWindow(self.inputs, config.window, fresh, writes, offsets))
        self._logged += sum(x.size for x in (*self.inputs.values(), *(w for _, w in writes)))
        if self._logged > _MOST_LOGGED:
            self.log = None

    def _snapshot(self) -> Snapshot:
        replicas, network = self._replicas, self._network
        replicas.loop.settle()
        memory = replicas.loop.memory.of(0)
        copies: dict[tuple[str, str], Array] = {}
        for name, raster in replicas.loop.window.rasters.items():
            copies["spikes", name] = raster.copy()
        for name, weights in memory.weights.items():
            if name in memory.trace:
                norm = memory.norm[network.projection(name).post]
                copies["trace", name] = np.concatenate([memory.trace[name], norm])
            if own := [v for key, v in memory.variables.items() if key.endswith(f".{name}")]:
                copies["variables", name] = np.concatenate(own)
            else:  # shared hidden layers have the traces of theirs in it
                copies["eligibility", name] = memory.eligibility[name].copy()
            copies["weights", name] = weights.copy()
            copies["in force", name] = replicas.backend.weights(name)
        values = [memory.value, memory.mean_reward, memory.expected]
        copies["critic", "critic"] = np.concatenate(values)
        return copies


Key = tuple[str, str]


@dataclass(frozen=True)
class TrainingOutcome:
    """Hold the outcome of one backend's training; last: its snapshot after the last update."""

    spec: BackendSpec
    updates: int
    returns: list[float]
    last: Snapshot


@dataclass(frozen=True)
class Moment:
    """Describe the first update in which two backends differ, and the quantity that differs first.

    before, after: the first backend's snapshots. held: the other's quantity after it. inputs, t:
    inputs and first step of its window. apart: the largest difference. windows: all until then,
    see `Student.log`; None if they weren't kept.
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
    """Compare two backends, update by update.

    odd: update and episode in which each quantity first differs. agree: updates for which both
    decide alike; None while they still do. apart, peak: root mean square difference after the last
    of these, and the first backend's largest value until then.
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

    def __post_init__(self) -> None:
        self._see(self.a.snapshot, 0)

    def update(self, before: Snapshot) -> None:
        """Compare the snapshots after an update; before: the first backend's snapshot before it."""
        if self.agree is None and self.a.action != self.b.action:
            self.agree = self.updates
        self._see(before, self.updates)
        self.updates += 1

    def _see(self, before: Snapshot, update: int) -> None:
        one, other = self.a.snapshot, self.b.snapshot
        pairs = ((key, x, other[key], x.dtype.kind == "f") for key, x in one.items())
        differing = [key for key, x, y, nan in pairs if not np.array_equal(x, y, equal_nan=nan)]
        for key in differing:
            self.odd.setdefault(key, {"update": update, "episode": self.a.episode})
        if differing and self.moment is None:
            key = min(differing, key=lambda key: QUANTITIES.index(key[0]))
            held = _number(other[key])
            apart = float(np.nan_to_num(np.abs(_number(one[key]) - held)).max())
            log = None if self.a.log is None else list(self.a.log)
            inputs, t = self.a.inputs, self.a.t
            self.moment = Moment(update, *key, before, one, held, inputs, t, apart, log)
        if self.agree is None:
            self.odd_while_agreeing |= set(differing)
            for key in one:
                self._measure(key, one[key], other[key])

    def _measure(self, key: Key, one: Array, other: Array) -> None:
        difference = np.nan_to_num(_number(one) - _number(other))
        self.apart[key] = float(np.sqrt(np.mean(difference**2))) if difference.size else 0.0
        largest = float(np.nan_to_num(np.abs(_number(one))).max(initial=0.0))
        self.peak[key] = max(self.peak.get(key, 0.0), largest)


def train(
    subject: Subject,
    specs: Sequence[BackendSpec],
    seed: int,
    updates: int,
    advance: Callable[[int], None] | None = None,
) -> tuple[list[TrainingOutcome], list[Contrast]]:
    """Train on every backend from the subject's weights, and contrast each with the first."""
    with ExitStack() as stack:
        students = [stack.enter_context(closing(Student(subject, x, seed, updates))) for x in specs]
        contrasts = [Contrast(students[0], other) for other in students[1:]]
        for _ in range(updates):
            before = students[0].snapshot
            for student in students:
                student.update()
            for contrast in contrasts:
                contrast.update(before)
            if advance is not None:
                advance(len(specs))
        trainings = [TrainingOutcome(s.spec, updates, s.returns, s.snapshot) for s in students]
    return trainings, contrasts


def training_rows(network: Network, contrast: Contrast, tolerance: Tolerance) -> list[Row]:
    """Return a row for each quantity of each projection, one for decisions, one for returns."""
    pair = Pair.of(contrast.a.spec, contrast.b.spec, tolerance)
    keys = [key for key in contrast.a.snapshot if key[0] not in ("spikes", "critic")]
    rows = [_learned(pair, network, key, contrast) for key in keys]
    return [*rows, _decisions(pair, contrast), _returns(pair, contrast)]


def _learned(pair: Pair, network: Network, key: Key, contrast: Contrast) -> Row:
    quantity, name = key
    agree = contrast.updates if contrast.agree is None else contrast.agree
    differs = key in (contrast.odd if pair.exact else contrast.odd_while_agreeing)
    largest, plasticity = contrast.peak[key] or 1.0, network.projection(name).plasticity
    if quantity in ("weights", "in force") and plasticity is not None:  # its bound
        largest = max(abs(plasticity.low), abs(plasticity.high))
    apart = contrast.apart[key] / largest
    first, post = contrast.odd.get(key) if differs else None, network.projection(name).post
    compared = contrast.updates if pair.exact else agree
    judged = not differs, apart, "learned", first, name
    return pair.row(f"learning: {quantity}", post, *judged, compared=compared)


def _decisions(pair: Pair, contrast: Contrast) -> Row:
    """Return a row that counts the decisions until the first that differs."""
    agree = contrast.agree
    first = None if agree is None else {"update": agree, "episode": None}
    judged = agree is None, None, "decisions", first
    counted: PlainData = {"compared": contrast.updates}
    counted["equal_until"] = contrast.updates if agree is None else agree
    row = pair.row("learning: decisions", "output", *judged, **counted)
    return {**row, "tolerance": 0.0 if pair.exact else None}


def _returns(pair: Pair, contrast: Contrast) -> Row:
    one, other = np.array(contrast.a.returns), np.array(contrast.b.returns)
    first = next((k for k, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), None)
    equal = first is None and len(one) == len(other)
    where = None if first is None else {"update": None, "episode": first}
    counted: PlainData = {"episodes_a": len(one), "episodes_b": len(other)}
    for name, returns in (("a", one), ("b", other)):
        counted[f"mean_return_{name}"] = float(returns.mean()) if len(returns) else None
    apart = None  # in standard errors (Welch), from 5 episodes on
    if min(len(one), len(other)) >= 5:
        error = float(np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)))
        apart = abs(float(one.mean() - other.mean())) / error if error > 0 else None
    judged = equal, apart, "returns", where
    return pair.row("learning: returns", "output", *judged, **counted)


def _number(x: Array) -> FloatArray:
    return np.asarray(x, dtype=np.float64)
