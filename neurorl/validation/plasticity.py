"""Compare who lets synapses learn by a rule of statements, synapse by synapse, and say why not.

What each had of spikes is taken as it is: the rule is run again on them, as described and with one
thing changed, or several, until every variable and weight is as recorded.

Learners of other distributions are no backends, such as NEST's own synapses. A distribution offers
one by an entry point of the group ``neurorl.learners``: its name, and the ``module:function`` that
`validate_rule` takes among its others.
"""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.spec import BackendSpec
from neurorl.errors import (
    BackendUnavailableError,
    NeurorlError,
    UnsupportedError,
    check_name,
    one_line,
)
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import FloatArray
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule
from neurorl.storage.plain import PlainData
from neurorl.testing.rules import RULES, Lesson, lessons_of, rule_network
from neurorl.validation.compare import Pair, Row, caused
from neurorl.validation.courses import Course, RuleReplay, Way, course
from neurorl.validation.hypotheses import rules
from neurorl.validation.hypotheses.noise import simplest
from neurorl.validation.hypotheses.own import root
from neurorl.validation.hypotheses.rules import Change
from neurorl.validation.result import Agreement
from neurorl.validation.tolerance import Tolerance

GROUP = "neurorl.learners"
Lessons = Sequence[Lesson]
Learner = Callable[[Network, SynapseRule, Lessons, Course], Course]
_NEAR = 1e-9  # of a variable's largest value
_FITTED = 1e-6  # of weights by a fitted number, as they are on a grid
_TOGETHER = 3  # changes of time and order that may come together


class _Search:
    """Look for what explains a projection's course: one change, or several in time.

    odd: whether a number isn't as the description says, ``(lessons, n)`` by variable.
    """

    def __init__(
        self, network: Network, p: Projection, rule: SynapseRule, seen: Course, lessons: Lessons
    ) -> None:
        self._network, self._p, self._rule = network, p, rule
        self._seen, self._lessons = seen, lessons
        self._recorded = {x: v for (name, x), v in seen.values.items() if name == p.name}
        self.odd = self._odd(Way(rule), len(lessons))
        rows = [int(mask.any(axis=1).argmax()) for mask in self.odd.values() if mask.any()]
        self.first = min(rows, default=len(lessons))

    def _made(self, way: Way, n: int) -> dict[str, FloatArray]:
        replay = RuleReplay(self._network, self._p, way, self._seen.first[self._p.name])
        return replay.course(self._seen, self._lessons[:n])

    def _odd(self, way: Way, n: int, of_weights: float = _NEAR) -> dict[str, npt.NDArray[np.bool_]]:
        made, odd = self._made(way, n), {}
        for x, seen in self._recorded.items():
            near = (of_weights if x == WEIGHT else _NEAR) * float(np.abs(seen).max())
            odd[x] = ~(np.abs(made[x] - seen[:n]) <= near)
        return odd

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
        shifts = list(rules.later_or_earlier(self._network.delay_steps(self._p.name)))
        alone = [*shifts, *rules.fixed(self._rule)]
        found = [[x] for x in alone if self._fits([x])]
        found = found or [[x] for x in self._fitted() if self._fits([x], _FITTED)]
        several, unrounded = [*shifts, *rules.orders(self._rule)], alone[-1]
        for n in range(1, _TOGETHER + 1):
            if not found:
                some = itertools.combinations(several, n)
                found = [[*x, unrounded] for x in some if self._fits([*x, unrounded])][:1]
        if not found:
            x, mask = self._first_odd()
            where = f"{x} of synapse or neuron {int(mask.argmax())}, lesson {self.first}"
            return "unknown", f"no change that was tried explains it, first in {where}"
        causes = list(dict.fromkeys(changes[0][0] for changes in found))
        told = "; or ".join("; and ".join(detail for _, detail, _ in changes) for changes in found)
        if len(causes) == 1:
            return causes[0], told
        return "unknown", f"one of {', '.join(causes)}: {told}"

    def _first_odd(self) -> tuple[str, npt.NDArray[np.bool_]]:
        """Return the variable that differs first, and where it does."""
        rows = ((x, mask[self.first]) for x, mask in self.odd.items())
        return next((x, row) for x, row in rows if row.any())

    def _fitted(self) -> Iterator[Change]:
        """Yield changes by a number: a line's change, or a parameter, by a factor."""
        for event, lines in rules.lines_of(self._rule).items():
            for number, line in enumerate(lines):
                change = partial(rules.scaled, self._rule, event, number)
                if (k := self._root(change)) is not None:
                    rate = "learning rate" if line.variable == WEIGHT else "learning rule"
                    told = f"{event}, {str(line)!r}: its change is {k:.6g} times it"
                    yield rate, told, partial(change, k)
        for name, value in self._rule.parameters.items():
            with_factor = partial(rules.with_parameter, name, value)
            if (k := self._root(with_factor)) is not None:
                told = f"the parameter {name} is {k * value:.6g}, not {value:.6g}"
                every = itertools.chain(*rules.lines_of(self._rule).values())
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
        x, mask = self._first_odd()
        way, recorded = Way(self._rule, is_rounded=False), self._recorded[x][self.first]
        apart = np.abs(self._made(way, self.first + 1)[x][self.first] - recorded)
        j = int((apart * mask).argmax())

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
    network: Network, rule: SynapseRule, lessons: Lessons, courses: Sequence[Course]
) -> list[Row]:
    """Return a row for each variable of each projection and each course but the first.

    difference: the largest, of the largest value. A row that differs has its cause.
    """
    rows = []
    for seen in courses[1:]:
        pair = Pair(courses[0].label, seen.label, True, Tolerance())
        causes: dict[str, tuple[str, str]] = {}
        for (name, x), values in seen.values.items():
            p, one = network.projection(name), courses[0].values[name, x]
            apart = np.abs(values - one)
            equal = not apart.any()
            if not equal and name not in causes:
                search = _Search(network, p, rule, seen, lessons)
                is_odd = any(mask.any() for mask in search.odd.values())
                follows = "follows", "the rule is as described, of other spikes"
                causes[name] = search.cause() if is_odd else follows
            first = None if equal else {"update": int(apart.any(axis=1).argmax()), "episode": None}
            largest = float(apart.max(initial=0.0) / (np.abs(one).max(initial=0.0) or 1.0))
            judged = largest, "learned", first, name
            row = pair.row(f"learning: {x}", p.post, equal, *judged, compared=int(apart.size))
            rows.append(caused(row, *causes.get(name, (None, None))))
    return rows


class RuleAgreement(Agreement):
    """Hold how far learners of a rule agree with the first; rows as of `compare_courses`."""

    def to_dict(self) -> PlainData:
        """Return plain data, for JSON."""
        of_spikes = ("left_out", "explanations")
        return {name: x for name, x in super().to_dict().items() if name not in of_spikes}


def validate_rule(
    rule: str | SynapseRule,
    specs: Sequence[BackendSpec],
    *,
    seed: int = 0,
    delay: float = 2e-3,
    others: Sequence[Learner] = (),
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
            what = "rules of statements are compared in float"
            remedy = "leave :loihi out, or name :float"
            raise UnsupportedError(spec.label, what, remedy=remedy)
    network = rule_network(delay)
    lessons = lessons_of(network, rule, seed=seed)
    courses = [course(network, rule, lessons, spec, seed) for spec in specs]
    courses += [other(network, rule, lessons, courses[0]) for other in others]
    rows = compare_courses(network, rule, lessons, courses)
    steps = sum(lesson.n_steps for lesson in lessons)
    return RuleAgreement(rule, [one.label for one in courses], rows, seed, steps)


def told_apart(names: str) -> tuple[str, list[Learner]]:
    """Return the backends among names with commas, ``reference`` if there are none, and learners.

    Raises BackendUnavailableError for a learner that doesn't import.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    backends, learners = list[str](), list[Learner]()
    for name in names.split(","):
        if name not in points:
            backends.append(name)
            continue
        try:
            learners.append(points[name].load())
        except (ImportError, AttributeError) as exc:
            where, remedy = f"learner {name}", "install its distribution again"
            raise BackendUnavailableError(where, one_line(exc), remedy=remedy) from exc
    return ",".join(backends) or "reference", learners
