"""Record what a learner by a rule of statements did, and run the rule again on what it saw."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.spec import BackendSpec
from neurorl.learning.by_statements import SynapseLearning
from neurorl.learning.synapse_events import SynapseEvents, Wiring
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of
from neurorl.testing.rules import Lesson

Arrived = Mapping[int, Array]
SHIFTED = {
    "pre": "presynaptic spikes count",
    "post": "postsynaptic spikes count",
    "signals": "signals count",
    "read": "what is read out is",
}
"""Map what may count in other steps to words for it."""


@dataclass(frozen=True)
class Course:
    """Hold what a learner did in all lessons.

    spikes: of each node, ``(steps, n)``. first: weights before the first lesson. values: by
    projection and variable, one row a lesson: variables before its reward, weights after it.
    """

    label: str
    spikes: dict[str, npt.NDArray[np.bool_]]
    first: dict[str, FloatArray]
    values: dict[tuple[str, str], FloatArray]


def course(
    network: Network,
    rule: SynapseRule,
    lessons: Sequence[Lesson],
    spec: BackendSpec,
    seed: int = 0,
    learner: type[SynapseLearning] = SynapseLearning,
) -> Course:
    """Return what `SynapseLearning`, or a *learner* of its kind, does on a backend."""
    spikes: dict[str, list[Array]] = {node.name: [] for node in network.spiking.nodes}
    rows: dict[tuple[str, str], list[Array]] = {}
    with spec.load(network, seed=seed) as backend:
        learning = learner(backend, rule)
        names = [p.name for p in network.projections if learning.learns(p.name)]
        first = {name: learning.weights(name).ravel() for name in names}
        for lesson in lessons:
            rasters = learning.window(lesson.inputs, lesson.n_steps, lesson.signals)
            for node, raster in {**lesson.inputs, **rasters}.items():
                spikes[node].append(raster)
            for name, x in itertools.product(names, rule.variables):
                rows.setdefault((name, x), []).append(learning.variable(name, x).ravel())
            if lesson.rewards:
                learning.reinforce(lesson.rewards)
            for name in names:
                rows.setdefault((name, WEIGHT), []).append(learning.weights(name).ravel())
    whole = {node: np.concatenate(some) for node, some in spikes.items()}
    return Course(spec.label, whole, first, {key: np.array(x) for key, x in rows.items()})


@dataclass(frozen=True)
class Way:
    """Say how a rule is run.

    shifts: steps by which something counts later than described, by a key of `SHIFTED`; lessons
    for rewards. order: of a step. bounds: of weights, None for the projection's. is_rounded:
    whether weights are brought to the grid of those in force.
    """

    rule: SynapseRule
    shifts: Mapping[str, int] = field(default_factory=dict)
    order: tuple[str, ...] = ("equations", "on_pre", "on_post")
    bounds: tuple[float | None, float | None] = (None, None)
    is_rounded: bool = True

    def later(self, shifts: Mapping[str, int]) -> Way:
        """Return a way in which some things count later."""
        both = {name: self.shifts.get(name, 0) + n for name, n in shifts.items()}
        return replace(self, shifts={**self.shifts, **both})


class RuleReplay(SynapseEvents):
    """Run a rule on the spikes that a learner had."""

    def __init__(self, network: Network, p: Projection, way: Way, first: FloatArray) -> None:
        assert p.plasticity is not None
        own = p.plasticity.low, p.plasticity.high
        low, high = (x if y is None else y for x, y in zip(own, way.bounds, strict=True))
        self._arithmetic = make_arithmetic("float", network)
        wiring, rounding = Wiring.of(network, p, 1), self._arithmetic.rounding(p.name)
        super().__init__(way.rule, wiring, first, (low, high), rounding, network.dt)
        self._way, self._p, self._shape = way, p, network.weight_shape(p.name)

    def course(self, seen: Course, lessons: Sequence[Lesson]) -> dict[str, FloatArray]:
        """Return each variable and the weights after each lesson, ``(lessons, n)``."""
        pre, post = seen.spikes[self._p.pre], seen.spikes[self._p.post]
        told = {x: _signal(lessons, x, post.shape[1]) for x in self.rule.signals}
        shifts = {**dict.fromkeys(SHIFTED, 0), "reward": 0, **self._way.shifts}
        past = [self._now()] * (1 + shifts["read"])
        made: list[dict[str, FloatArray]] = []
        for k, lesson in enumerate(lessons):
            t = sum(x.n_steps for x in lessons[:k])
            for now in range(t, t + lesson.n_steps):
                came = {int(d): _row(pre, now - int(d) - shifts["pre"]) for d in self.delays}
                signals = {x: _row(s, now - shifts["signals"]) for x, s in told.items()}
                self._step(came, _row(post, now - shifts["post"]), signals)
                past = [*past[1:], self._now()]
            if self.rule.changes_in_steps:
                self._round()
            given = lessons[max(k - shifts["reward"], 0)].rewards if k >= shifts["reward"] else {}
            if given:
                self.run_reward({x: np.array([m]) for x, m in given.items()})
                self._round()
            made.append(past[0] if shifts["read"] else {**past[0], WEIGHT: self.weights.copy()})
        return {x: np.array([row[x] for row in made]) for x in made[0]}

    def _now(self) -> dict[str, FloatArray]:
        return {x: v.copy() for x, v in (*self.variables.items(), (WEIGHT, self.weights))}

    def _step(self, came: Arrived, spikes: Array, told: Mapping[str, Array]) -> None:
        for part in self._way.order:
            if part == "equations":
                for owner in ("pre", "post", "synapse"):
                    self._advance(owner, told)
            for event in ("on_pre", "on_post"):
                of = self.rule.events[event]
                reads = [line for line in of if owner_of(line.variable) == "synapse"]
                lines = {event: of, "reads": reads, "raises": [x for x in of if x not in reads]}
                lines[f"reads {event}"] = reads
                arrived = came if event == "on_pre" else {0: spikes}
                for delay, spiked in arrived.items() if lines.get(part) else ():
                    neurons = np.flatnonzero(spiked)
                    synapses = self._synapses(event[3:], neurons)
                    if len(arrived) > 1:
                        synapses = synapses[self._wiring.delay[synapses] == delay]
                    self._run(lines[part], synapses, neurons, told)

    def _round(self) -> None:
        if self._way.is_rounded:
            w, name = self.weights.reshape(self._shape), self._p.name
            self.weights[:] = self._arithmetic.round(name, self._arithmetic.masked(name, w)).ravel()


def _row(rows: Array, t: int) -> Array:
    return rows[t] if 0 <= t < len(rows) else np.zeros_like(rows[0])


def _signal(lessons: Sequence[Lesson], name: str, size: int) -> FloatArray:
    """Return a signal of each postsynaptic neuron in all steps."""
    rows = []
    for lesson in lessons:
        given = np.asarray(lesson.signals[name], dtype=np.float64)
        each = given[:, None] if given.ndim == 1 else given
        rows.append(np.broadcast_to(each, (lesson.n_steps, size)))
    return np.concatenate(rows)
