"""Put mistakes into learners of rules of statements: which a comparison of courses has to name.

`LEARNERS` were looked at while explanations were written; `LEARNERS_HELD_OUT` only afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.spec import BackendSpec
from neurorl.learning.by_statements import SynapseLearning
from neurorl.learning.synapse_events import SynapseEvents
from neurorl.rules.synapse_rule import SynapseRule
from neurorl.testing.rules import RULES, lessons_of, rule_network
from neurorl.validation.courses import course
from neurorl.validation.plasticity import compare_courses

Kind = type[SynapseLearning]


@dataclass(frozen=True)
class Mistake:
    """Describe a mistake in learning by a rule. causes, words: what is right to say."""

    name: str
    rule: str
    learner: Kind
    causes: tuple[str, ...]
    words: str = ""
    seed: int = 0
    delay: float = 2e-3
    chance: float = 1.0


def judge(mistake: Mistake) -> tuple[str, str]:
    """Return 'rightly', 'unknown', 'wrongly' or 'not seen', and what was said."""
    rule, network = RULES[mistake.rule](), rule_network(mistake.delay, mistake.chance)
    lessons, spec = lessons_of(network, rule, seed=mistake.seed), BackendSpec("reference", "float")
    courses = [course(network, rule, lessons, spec, mistake.seed)]
    courses.append(course(network, rule, lessons, spec, mistake.seed, mistake.learner))
    found = [r for r in compare_courses(network, rule, lessons, courses) if r["cause"]]
    if not found:
        return "not seen", ""
    cause, detail = found[0]["cause"], str(found[0]["detail"])
    if cause == "unknown":
        return "unknown", detail
    is_right = cause in mistake.causes and mistake.words in detail
    return ("rightly" if is_right else "wrongly"), f"{cause}: {detail}"


def ruled(change: Callable[[SynapseRule], SynapseRule]) -> Kind:
    """Learn by another rule than was given."""

    class Mistaken(SynapseLearning):
        def __init__(self, backend: Any, rule: SynapseRule, rules: Any = None) -> None:
            super().__init__(backend, change(rule), rules)

    return Mistaken


def text(event: str, old: str, new: str) -> Kind:
    def change(rule: SynapseRule) -> SynapseRule:
        was = getattr(rule, event)
        assert old in was
        return dataclasses.replace(rule, **{event: was.replace(old, new)})

    return ruled(change)


def parameter(**factors: float) -> Kind:
    def change(rule: SynapseRule) -> SynapseRule:
        other = {name: k * rule.parameters[name] for name, k in factors.items()}
        return dataclasses.replace(rule, parameters={**rule.parameters, **other})

    return ruled(change)


def reinforced(change: Callable[[Any, float], float]) -> Kind:
    """Reinforce by another modulator."""

    class Mistaken(SynapseLearning):
        def reinforce(self, modulator: Any) -> None:
            super().reinforce({name: change(self, m) for name, m in modulator.items()})

    return Mistaken


def one_late(self: Any, modulator: float) -> float:
    before = self.__dict__.get("before", 0.0)
    self.before = modulator
    return float(before)


def seen(side: str, later: int) -> Kind:
    """See the spikes of one side, or signals, some steps later."""

    class Mistaken(SynapseLearning):
        def _learn(self, name: str, p: Any, nodes: Any, told: Any) -> None:
            if side == "signals":
                told = {
                    x: {n: self._later_by(x, s, 1) for n, s in of.items()} for x, of in told.items()
                }
            else:
                node = getattr(p, side)
                nodes = {**nodes, node: self._later_by(node, nodes[node], 0)}
            super()._learn(name, p, nodes, told)

        def _later_by(self, key: str, rows: Any, axis: int) -> Any:
            shape = list(rows.shape)
            shape[axis] = later
            held = self.__dict__.setdefault("held", {})
            before = held.get(key, np.zeros(shape, rows.dtype))
            whole = np.concatenate([before, rows], axis)
            n = rows.shape[axis]
            held[key] = np.take(whole, range(n, n + later), axis)
            return np.take(whole, range(n), axis)

    return Mistaken


def bounded(**bounds: float) -> Kind:
    """Keep weights between other bounds."""

    class Mistaken(SynapseLearning):
        def _begun(self, p: Any) -> Any:
            other = dataclasses.replace(p.plasticity, **bounds)
            return super()._begun(dataclasses.replace(p, plasticity=other))

    return Mistaken


class _PostFirst(SynapseEvents):
    def window(self, arrived: Any, spikes: Any, signals: Any) -> None:
        for t, now in enumerate(spikes):
            told = {x: s[min(t, len(s) - 1)] for x, s in signals.items()}
            neither = np.zeros_like(now)
            none = {d: np.zeros_like(rows[t]) for d, rows in arrived.items()}
            self.step(none, now, told)
            advance, self._advance = self._advance, lambda *_: None  # type: ignore[method-assign]
            self.step({d: rows[t] for d, rows in arrived.items()}, neither, told)
            self._advance = advance  # type: ignore[method-assign]


class PostFirst(SynapseLearning):
    """Let postsynaptic spikes act before those that arrive."""

    def _begun(self, p: Any) -> Any:
        made = super()._begun(p)
        made.__class__ = _PostFirst
        return made


class ForgetsTraces(SynapseLearning):
    """Begin again in every window, which has no name."""

    def window(self, inputs: Any, n_steps: int, signals: Mapping[str, Any] | None = None) -> Any:
        for events in self._events.values():
            events.reset()
        return super().window(inputs, n_steps, signals)


RULE, RATE, ORDER, DELAY = ("learning rule",), ("learning rate",), ("step order",), ("delay",)
LEARNERS = (
    Mistake("posts first", "pairs", PostFirst, ORDER, "on_post, on_pre", 0),
    Mistake("reward late", "reward", reinforced(one_late), ("reward",), "one decision late", 1),
    Mistake("reward halved", "reward", reinforced(lambda _, m: 0.5 * m), RATE, "0.5", 2),
    Mistake("reward negated", "reward", reinforced(lambda _, m: -m), RULE, "other sign", 3),
    Mistake("tau longer", "pairs", parameter(tau=1.2), RULE, "0.024", 4),
    Mistake("posts late", "pairs", seen("post", 1), DELAY, "postsynaptic", 6),
    Mistake(
        "eligibility stays",
        "reward",
        text("equations", "de/dt = -e/tau_e", "de/dt = 0*e/tau_e"),
        RULE,
        "isn't done",
        7,
    ),
    Mistake("no bound", "bcm", bounded(high=50.0), ("clipping of weights",), "'high'", 8),
    Mistake("signals late", "dopamine", seen("signals", 1), DELAY, "signals", 9),
    Mistake("nearest", "pairs", text("on_post", "y_post += 1", "y_post = 1"), RULE, "nearest", 10),
)

LEARNERS_HELD_OUT = (
    Mistake("posts first, Oja", "oja", PostFirst, ORDER, "", 29, 3e-3),
    Mistake(
        "posts first, dopamine", "dopamine", PostFirst, ORDER, "on_post, on_pre", 30, 1e-3, 0.7
    ),
    Mistake(
        "reward late, sparse", "reward", reinforced(one_late), ("reward",), "late", 31, 4e-3, 0.6
    ),
    Mistake("reward x 3", "reward", reinforced(lambda _, m: 3 * m), RATE, "3", 32, 1e-3),
    Mistake("rate of Oja", "oja", parameter(eta=0.9), RATE, "0.9", 33, 3e-3),
    Mistake("rate of BCM", "bcm", parameter(eta=1.3), RATE, "1.3", 34),
    Mistake("threshold slow", "bcm", parameter(tau_theta=2.0), RULE, "", 35, 1e-3, 0.7),
    Mistake("target", "bcm", parameter(target=1.5), RULE, "0.75", 36),
    Mistake("eligibility fades", "reward", parameter(tau_e=0.5), RULE, "", 37, 3e-3),
    Mistake("minus", "dopamine", parameter(minus=1.4), RULE, "", 38),
    Mistake("baseline", "dopamine", parameter(b=0.0), RULE + RATE, "", 39, 1e-3),
    Mistake("posts two late", "reward", seen("post", 2), DELAY, "postsynaptic", 40, 1e-3),
    Mistake("pre late", "bcm", seen("pre", 1), DELAY, "presynaptic", 41),
    Mistake(
        "signals two late", "dopamine", seen("signals", 2), DELAY, "signals count 2", 42, 3e-3, 0.5
    ),
    Mistake(
        "depression potentiates",
        "pairs",
        text("on_pre", "w -= 0.03*w*y_post", "w += 0.03*w*y_post"),
        RULE,
        "other sign",
        43,
    ),
    Mistake(
        "no depression",
        "dopamine",
        text("on_pre", "c -= minus*y_post", "c -= 0*minus*y_post"),
        RULE,
        "isn't done",
        44,
    ),
    Mistake(
        "hard bound",
        "pairs",
        text("on_post", "0.02*(1 - w)", "0.02*(1 - 0.5*w)"),
        RULE + RATE,
        "",
        45,
    ),
    Mistake(
        "nearest pre",
        "reward",
        text("on_pre", "x_pre += 1", "x_pre = 1"),
        RULE,
        "nearest",
        46,
        2e-3,
        0.6,
    ),
    Mistake(
        "exact",
        "reward",
        ruled(lambda r: dataclasses.replace(r, method="euler")),
        ("method",),
        "euler",
        49,
    ),
    Mistake("low bound", "dopamine", bounded(low=-9.0), ("clipping of weights",), "'low'", 50),
    Mistake("high bound less", "oja", bounded(high=0.6), ("clipping of weights",), "0.6", 51),
    Mistake("forgets", "bcm", ForgetsTraces, ("between calls",), "", 52),
)
