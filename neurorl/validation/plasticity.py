"""Compare who lets synapses learn by a rule of statements, synapse by synapse, and say why not.

What each had of spikes is taken as it is: the rule is run again on them, as described and with one
thing changed, or several, until every variable and weight is as recorded.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.spec import BackendSpec
from neurorl.errors import NeurorlError, UnsupportedError, check_name
from neurorl.expressions.expression import Statement
from neurorl.expressions.methods import METHODS
from neurorl.learning.by_statements import SynapseLearning
from neurorl.learning.synapse_events import SynapseEvents, Wiring
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of
from neurorl.storage.plain import PlainData
from neurorl.testing.rules import RULES, Lesson, lessons_of, rule_network
from neurorl.validation.compare import Row
from neurorl.validation.hypotheses.noise import simplest
from neurorl.validation.hypotheses.own import root
from neurorl.validation.tolerance import worst

_FAR = 1e300
_NEAR = 1e-9  # of a variable's largest value
_FITTED = 1e-6  # of weights by a fitted number, as they are on a grid
_TOGETHER = 3  # changes of time and order that may come together


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

    shifts: steps by which something counts later than described, by a key of `_SHIFTED`; lessons
    for rewards. order: of a step. bounds: of weights, None for the projection's. is_rounded:
    whether weights are brought to the grid of those in force.
    """

    rule: SynapseRule
    shifts: Mapping[str, int] = field(default_factory=dict)
    order: tuple[str, ...] = ("equations", "on_pre", "on_post")
    bounds: tuple[float | None, float | None] = (None, None)
    is_rounded: bool = True

    def later(self, **shifts: int) -> Way:
        """Return a way in which some things count later."""
        both = {name: self.shifts.get(name, 0) + n for name, n in shifts.items()}
        return replace(self, shifts={**self.shifts, **both})


class _Replay(SynapseEvents):
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
        shifts = {**dict.fromkeys(_SHIFTED, 0), "reward": 0, **self._way.shifts}
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

    def _step(self, came: Mapping[int, Array], spikes: Array, told: Mapping[str, Array]) -> None:
        for part in self._way.order:
            if part == "equations":
                for owner in ("pre", "post", "synapse"):
                    self._advance(owner, told)
            for event in ("on_pre", "on_post"):
                of = self.rule.events[event]
                reads = [line for line in of if owner_of(line.variable) == "synapse"]
                lines = {event: of, "reads": reads, "raises": [x for x in of if x not in reads]}
                arrived = came if event == "on_pre" else {0: spikes}
                self._happen(event[3:], lines.get(part, ()), arrived, told)

    def _happen(
        self,
        side: str,
        lines: Sequence[Statement],
        arrived: Mapping[int, Array],
        told: Mapping[str, Array],
    ) -> None:
        for delay, spiked in arrived.items() if lines else ():
            neurons = np.flatnonzero(spiked)
            synapses = self._synapses(side, neurons)
            if len(arrived) > 1:
                synapses = synapses[self._wiring.delay[synapses] == delay]
            self._run(lines, synapses, neurons, told)

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


Change = tuple[str, str, Callable[[Way], Way]]
"""Hold a cause, a sentence, and what is done otherwise."""
_SHIFTED = {
    "pre": "presynaptic spikes count",
    "post": "postsynaptic spikes count",
    "signals": "signals count",
    "read": "what is read out is",
}


def _later(name: str, n: int, way: Way) -> Way:
    return way.later(**{name: n})


def _shifts(delay: int) -> Iterator[Change]:
    """Yield what may count in other steps."""
    detail = (
        f"the delay is dendritic: postsynaptic spikes count {delay} step(s) later than described"
    )
    dendritic = f"{detail}, presynaptic ones when they are sent"
    yield "delay", dendritic, lambda way: way.later(pre=-delay, post=delay)
    for name, subject in _SHIFTED.items():
        for n in (1, 2) if name == "read" else (1, -1, 2, -2):
            told = f"{subject} {abs(n)} step(s) {'later' if n > 0 else 'earlier'} than described"
            if name == "read":
                told = f"{subject} {n} step(s) old"
            yield "delay", told, partial(_later, name, n)


def _orders(rule: SynapseRule) -> Iterator[Change]:
    """Yield other orders of a step."""
    parts = Way(rule).order
    told = "spikes that meet in a step don't see each other: traces are read before any is raised"
    orders: dict[tuple[str, ...], str] = {("equations", "reads", "raises"): told}
    for order in itertools.permutations(parts):
        if order != parts:
            orders[order] = f"a step makes {', '.join(order)}, not {', '.join(parts)}"
    for order, detail in orders.items():
        yield "step order", detail, lambda way, order=order: replace(way, order=order)  # type: ignore[misc]


def _fixed(rule: SynapseRule) -> Iterator[Change]:
    """Yield changes without numbers."""
    detail = "a reward counts one decision late: it is the one before"
    yield "reward", detail, lambda way: way.later(reward=1)
    yield from _orders(rule)
    for event, lines in _lines(rule).items():
        if len(lines) > 1 and event != "equations":
            backwards = "; ".join(str(line) for line in lines[::-1])
            told = (
                f"{event} runs its lines in reverse: it reads traces before, or after, they change"
            )
            yield "step order", told, partial(_ruled, {event: backwards})
        for number, line in enumerate(lines):
            for k, said in ((0.0, "isn't done"), (-1.0, "has the other sign")):
                told = f"{event}, {str(line)!r} {said}"
                yield "learning rule", told, partial(_scaled, rule, event, number, k)
            if owner_of(line.variable) != "synapse" and event != "equations":
                told = (
                    f"{event} sets {line.variable}, and doesn't raise it: the nearest spikes count"
                )
                nearest = _with_line(rule, event, number, f"({line.value.text}) - {line.variable}")
                yield "learning rule", told, partial(_ruled, nearest)
    for method in METHODS:
        if method != rule.method:
            told = f"equations are solved by {method!r}, not {rule.method!r}"
            yield "method", told, partial(_ruled, {"method": method})
    for k, side in enumerate(("low", "high")):
        bounds = tuple((-_FAR, _FAR)[k] if i == k else None for i in range(2))
        change = partial(replace, bounds=bounds)
        yield "clipping of weights", f"weights have no bound {side!r}", change
    told = "weights stay as they are computed, on no grid"
    yield "rounding of weights", told, lambda way: replace(way, is_rounded=False)


def _lines(rule: SynapseRule) -> dict[str, tuple[Statement, ...]]:
    return {"equations": rule.derivatives, **rule.events}


def _ruled(changes: PlainData, way: Way) -> Way:
    return replace(way, rule=replace(way.rule, **changes))


def _scaled(rule: SynapseRule, event: str, number: int, k: float, way: Way) -> Way:
    """Let a line change its variable by *k* times as much."""
    line = _lines(rule)[event][number]
    x, value = line.variable, line.value.text
    times = f"{k!r}*({value})" if event == "equations" else f"{x} + {k!r}*(({value}) - {x})"
    return _ruled(_with_line(rule, event, number, times), way)


def _with_line(rule: SynapseRule, event: str, number: int, value: str) -> PlainData:
    """Return the text of an event in which a line sets its variable to something else."""
    sides = [(line.variable, line.value.text) for line in _lines(rule)[event]]
    sides[number] = sides[number][0], value
    form = "d{}/dt = {}" if event == "equations" else "{} = {}"
    return {event: "; ".join(form.format(*side) for side in sides)}


def _with_parameter(name: str, value: float, k: float, way: Way) -> Way:
    parameters = {**way.rule.parameters, name: k * value}
    return _ruled({"parameters": parameters}, way)


class _Search:
    """Look for what explains a projection's course: one change, or several in time.

    odd: whether a number isn't as the description says, ``(lessons, n)`` by variable.
    """

    def __init__(
        self,
        network: Network,
        p: Projection,
        rule: SynapseRule,
        seen: Course,
        lessons: Sequence[Lesson],
    ) -> None:
        self._network, self._p, self._rule = network, p, rule
        self._seen, self._lessons = seen, lessons
        self._recorded = {x: v for (name, x), v in seen.values.items() if name == p.name}
        self.odd = self._odd(Way(rule), len(lessons))
        rows = [int(mask.any(axis=1).argmax()) for mask in self.odd.values() if mask.any()]
        self.first = min(rows, default=len(lessons))

    def _made(self, way: Way, n: int) -> dict[str, FloatArray]:
        replay = _Replay(self._network, self._p, way, self._seen.first[self._p.name])
        return replay.course(self._seen, self._lessons[:n])

    def _odd(self, way: Way, n: int, of_weights: float = _NEAR) -> dict[str, npt.NDArray[np.bool_]]:
        made = self._made(way, n)
        return {
            x: ~(
                np.abs(made[x] - seen[:n])
                <= (of_weights if x == WEIGHT else _NEAR) * float(np.abs(seen).max())
            )
            for x, seen in self._recorded.items()
        }

    def _fits(self, changes: Sequence[Change], of_weights: float = _NEAR) -> bool:
        way = Way(self._rule)
        try:
            for _, _, change in changes:
                way = change(way)
            lengths = (self.first + 1, len(self._lessons))
            return all(not x.any() for n in lengths for x in self._odd(way, n, of_weights).values())
        except NeurorlError:  # such as a method for what isn't linear
            return False

    def cause(self) -> tuple[str, str]:
        """Return a cause and a sentence; ``'unknown'`` if nothing fits, or several causes do."""
        shifts = list(_shifts(self._network.delay_steps(self._p.name)))
        fixed = [*shifts, *_fixed(self._rule)]
        found = [[x] for x in fixed if self._fits([x])] or [
            [x] for x in self._fitted() if self._fits([x], _FITTED)
        ]
        several, unrounded = [*shifts, *_orders(self._rule)], fixed[-1]
        for n in range(1, _TOGETHER + 1):
            if not found:
                some = itertools.combinations(several, n)
                found = [[*x, unrounded] for x in some if self._fits([*x, unrounded])][:1]
        if not found:
            x, mask = next((x, m) for x, m in self.odd.items() if m[self.first].any())
            where = (
                f"{x} of synapse or neuron {int(mask[self.first].argmax())}, lesson {self.first}"
            )
            return "unknown", f"no change that was tried explains it, first in {where}"
        causes = list(dict.fromkeys(changes[0][0] for changes in found))
        told = "; or ".join("; and ".join(detail for _, detail, _ in changes) for changes in found)
        return (
            (causes[0], told)
            if len(causes) == 1
            else ("unknown", f"one of {', '.join(causes)}: {told}")
        )

    def _fitted(self) -> Iterator[Change]:
        """Yield changes by a number: a line's change, or a parameter, by a factor."""
        for event, lines in _lines(self._rule).items():
            for number, line in enumerate(lines):
                change = partial(_scaled, self._rule, event, number)
                k = self._root(change)
                if k is not None:
                    rate = "learning rate" if line.variable == WEIGHT else "learning rule"
                    yield (
                        rate,
                        f"{event}, {str(line)!r}: its change is {k:.6g} times it",
                        partial(change, k),
                    )
        for name, value in self._rule.parameters.items():
            with_factor = partial(_with_parameter, name, value)
            k = self._root(with_factor)
            if k is not None:
                told = f"the parameter {name} is {k * value:.6g}, not {value:.6g}"
                every = itertools.chain(*_lines(self._rule).values())
                of_weights = {x.variable for x in every if name in x.value.names} == {WEIGHT}
                rate = "learning rate" if of_weights else "learning rule"
                yield rate, told, partial(with_factor, k)
        for k, bound in enumerate((self._recorded[WEIGHT].min(), self._recorded[WEIGHT].max())):
            bounds = tuple(float(bound) if i == k else None for i in range(2))
            told = f"the {('least', 'largest')[k]} weight is {bound:.6g}"
            yield "clipping of weights", told, partial(replace, bounds=bounds)

    def _root(self, change: Callable[[float, Way], Way]) -> float | None:
        """Return the factor with which the number that differs most, in time first, is as recorded.

        Of weights on a grid, the simplest factor that brings it into its place.
        """
        x, mask = next((x, m) for x, m in self.odd.items() if m[self.first].any())
        way, recorded = Way(self._rule, is_rounded=False), self._recorded[x][self.first]
        apart = np.abs(self._made(way, self.first + 1)[x][self.first] - recorded)
        j = int((apart * mask[self.first]).argmax())

        def missing(k: float) -> float:
            made = self._made(change(k, way), self.first + 1)
            return float(made[x][self.first][j] - recorded[j])

        try:
            k = root(missing, 1e-13 * (1 + abs(float(recorded[j]))))
            if k is None or abs(k - 1) < 1e-9:
                return None
            slope = abs(missing(k * 1.001) - missing(k)) / (abs(k) * 0.001 or 1.0)
        except NeurorlError:
            return None
        unit = make_arithmetic("float", self._network).rounding(self._p.name).unit
        within = unit / slope if x == WEIGHT and slope else 1e-9 * abs(k)
        return simplest(k - within, k + within)


def compare_courses(
    network: Network, rule: SynapseRule, lessons: Sequence[Lesson], courses: Sequence[Course]
) -> list[Row]:
    """Return a row for each variable of each projection and each course but the first.

    difference: the largest, of the largest value. A row that differs has its cause.
    """
    rows = []
    for seen in courses[1:]:
        causes: dict[str, tuple[str, str]] = {}
        for (name, x), values in seen.values.items():
            one = courses[0].values[name, x]
            apart = np.abs(values - one)
            row: Row = {
                "quantity": f"learning: {x}",
                "population": network.projection(name).post,
                "projection": name,
                "backend_a": courses[0].label,
                "backend_b": seen.label,
                "verdict": "different" if apart.any() else "exact",
                "tolerance": 0.0,
                "difference": float(apart.max(initial=0.0) / (np.abs(one).max(initial=0.0) or 1.0)),
                "compared": int(apart.size),
                "first_divergence": None,
                "cause": None,
                "detail": None,
            }
            if apart.any():
                if name not in causes:
                    search = _Search(network, network.projection(name), rule, seen, lessons)
                    is_odd = any(mask.any() for mask in search.odd.values())
                    follows = "follows", "the rule is as described, of other spikes"
                    causes[name] = search.cause() if is_odd else follows
                update = int(apart.any(axis=1).argmax())
                row["first_divergence"] = {"update": update, "episode": None}
                row["cause"], row["detail"] = causes[name]
            rows.append(row)
    return rows


@dataclass(frozen=True)
class RuleAgreement:
    """Hold how far learners of a rule agree with the first; rows as of `compare_courses`."""

    rule: SynapseRule
    backends: list[str]
    rows: list[Row]
    seed: int
    steps: int
    explanations: tuple[()] = ()
    skipped: tuple[()] = ()

    @property
    def subject(self) -> SynapseRule:
        return self.rule

    @property
    def verdict(self) -> str:
        """Return ``'exact'`` or ``'different'``."""
        return worst(row["verdict"] for row in self.rows)

    def to_dict(self) -> PlainData:
        """Return plain data, for JSON."""
        names = {"subject": self.rule.name, "backends": self.backends, "seed": self.seed}
        return {"verdict": self.verdict, **names, "steps": self.steps, "rows": self.rows}


def validate_rule(
    rule: str | SynapseRule,
    specs: Sequence[BackendSpec],
    *,
    seed: int = 0,
    delay: float = 2e-3,
    others: Sequence[Callable[[Network, SynapseRule, Sequence[Lesson], Course], Course]] = (),
) -> RuleAgreement:
    """Let synapses learn by a rule on several backends, with the same spikes, signals and rewards.

    rule: of `neurorl.testing.rules.RULES`, or one. delay: of the synapses, s. others: learners that
    are no backends; they get the network, the rule, the lessons and the first backend's course.

    Raises UnknownNameError, or UnsupportedError in other than float arithmetic.

    >>> specs = [BackendSpec.parse(name) for name in ("reference", "native")]
    >>> validate_rule("pairs", specs).verdict
    'exact'
    """
    if isinstance(rule, str):
        check_name("rule", rule, RULES)
        rule = RULES[rule]()
    for spec in specs:
        if spec.chosen_arithmetic != "float":
            what, remedy = (
                "rules of statements are compared in float",
                "leave :loihi out, or name :float",
            )
            raise UnsupportedError(spec.label, what, remedy=remedy)
    network = rule_network(delay)
    lessons = lessons_of(network, rule, seed=seed)
    courses = [course(network, rule, lessons, spec, seed) for spec in specs]
    courses += [other(network, rule, lessons, courses[0]) for other in others]
    rows = compare_courses(network, rule, lessons, courses)
    steps = sum(lesson.n_steps for lesson in lessons)
    return RuleAgreement(rule, [one.label for one in courses], rows, seed, steps)
