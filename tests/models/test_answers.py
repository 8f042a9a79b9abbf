"""Refuse what parts of users answer if it can't be meant, on every loop and backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest

from neurorl import ReparameterizedActorCritic, SpikingActorCritic, evaluate
from neurorl.callbacks import Callback
from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.agent import critics, encoders, modulators, policies, schedules, writes
from neurorl.models.agent.answers import AnswerChecks
from neurorl.models.agent.parts import Part
from neurorl.models.deep.feedback import Random as RandomFeedback
from neurorl.models.deep.normalisation import Homeostasis
from neurorl.models.deep.trunk import Modules, Shared
from neurorl.models.features.base import Features, FromNumbers
from neurorl.rules import Rule
from neurorl.rules.decision import Factors

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.FallbackWarning")
SMALL: dict[str, Any] = {"hidden": 4, "actors": 2, "window": 6, "seed": 4}
TASK = "CartPole-v1"
N = 4  # numbers of an observation


class Answer:
    """Hold what the parts below do with their right answer; changed by each test."""

    of: ClassVar[Callable[[Any], Any]] = staticmethod(lambda right: right)


def spoiled(right: Any) -> Any:
    return Answer.of(right)


@dataclass(frozen=True, eq=False)
class OwnEncoder(encoders.Encoder):
    def draws(self, window: int) -> int:
        return window

    def encode(self, activation: Any, u: Any, window: int) -> Any:
        return spoiled(u < activation)


@dataclass(frozen=True, eq=False)
class OwnCurrent(encoders.Encoder):
    flows: ClassVar[bool] = True

    def draws(self, window: int) -> int:
        return 0

    def encode(self, activation: Any, u: Any, window: int) -> Any:
        return spoiled(encoders.constant_currents(activation))


@dataclass(frozen=True, eq=False)
class OwnPolicy(policies.Policy):
    def distribution(self, votes: Any) -> Any:
        return spoiled(policies.softmax(votes, 0.3))


@dataclass(frozen=True, eq=False)
class OwnChoices(policies.Softmax):
    def decide(self, *arguments: Any) -> Any:
        return spoiled(super().decide(*arguments))


@dataclass(frozen=True, eq=False)
class OwnModulator(modulators.Modulator):
    def signal(self, reward: float, td_error: float, mean: Any, step: float) -> Any:
        return spoiled(td_error)


@dataclass(frozen=True, eq=False)
class OwnHearing(modulators.TDError):
    needs_linear: ClassVar[bool] = True

    def heard(self, reward: float, mean: Any) -> Any:
        return spoiled(reward)


@dataclass(frozen=True, eq=False)
class OwnSchedule(schedules.Schedule):
    def rate(self, episode: int) -> Any:
        return spoiled(1.0)


class OwnValues(critics.LinearCritic):
    def modulator(self, *arguments: Any) -> Any:
        return spoiled(super().modulator(*arguments))


@dataclass(frozen=True, eq=False)
class OwnCritic(critics.Linear):
    def values(self, weights: Any, trace: Any, x: Any, gamma: float) -> Any:
        return OwnValues(weights, trace, x, self.alpha, gamma * self.lambda_)


@dataclass(frozen=True, eq=False)
class OwnWrites(writes.Writes):
    def units(self, change: Any, inverse: float, kept: Any, rounded: Any, is_turn: bool) -> Any:
        return spoiled(rounded(change * inverse))


@dataclass(frozen=True, eq=False)
class OwnFeatures(FromNumbers):
    size: ClassVar[int] = 8
    n_inputs: ClassVar[int] = N

    def values(self, flat: Any) -> Any:
        x = np.clip(flat, -1, 1)
        return spoiled(np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)]))


@dataclass(frozen=True, eq=False)
class OwnCells(Features):
    size: ClassVar[int] = N

    def __call__(self, observation: Any) -> Any:
        return spoiled(np.clip(observation, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class OwnDraws(encoders.Bernoulli):
    def draws(self, window: int) -> Any:
        return spoiled(window)


@dataclass(frozen=True, eq=False)
class OwnRepeats(policies.Softmax):
    def repeats_at(self, decision: int) -> Any:
        return spoiled(1)


@dataclass(frozen=True, eq=False)
class OwnSlowing(schedules.LinearFall):
    def rate_after(self, episode: int, decisions: int) -> Any:
        return spoiled(1.0)


@dataclass(frozen=True, eq=False)
class OwnFlat(OwnFeatures):
    def flat(self, observation: Any) -> Any:
        return spoiled(np.asarray(observation, dtype=float))

    def values(self, flat: Any) -> Any:
        return np.concatenate([flat, flat])


def factors(decision: Any) -> Any:
    hidden = tuple(0.1 * h.spikes for h in decision.hidden)
    return spoiled(Factors(0.1 * decision.output, hidden))


MINE = Rule("mine", post_factors=factors)
OWN: dict[str, tuple[str, dict[str, Any]]] = {
    "encoder": ("OwnEncoder.encode", {"encoder": OwnEncoder()}),
    "currents": ("OwnCurrent.encode", {"encoder": OwnCurrent()}),
    "policy": ("OwnPolicy.distribution", {"policy": OwnPolicy()}),
    "choices": ("OwnChoices.decide", {"policy": OwnChoices()}),
    "modulator": ("OwnModulator.signal", {"modulator": OwnModulator()}),
    "hearing": ("OwnHearing.heard", {"modulator": OwnHearing()}),
    "schedule": ("OwnSchedule.rate", {"schedule": OwnSchedule()}),
    "critic": ("OwnCritic.values, modulator", {"critic": OwnCritic()}),
    "writes": ("OwnWrites.units", {"writes": OwnWrites(), "arithmetic": "loihi"}),
    "features": ("OwnFeatures.values", {"features": OwnFeatures()}),
    "cells": ("OwnCells.__call__", {"cells": OwnCells(), "features": OwnFeatures()}),
    "draws": ("OwnDraws.draws", {"encoder": OwnDraws()}),
    "repeats": ("OwnRepeats.repeats_at", {"policy": OwnRepeats()}),
    "slowing": ("OwnSlowing.rate_after", {"schedule": OwnSlowing()}),
    "flat": ("OwnFlat.flat", {"features": OwnFlat()}),
    "rule": ("rule 'mine', post_factors", {"rule": MINE}),
}


def nowhere(value: Any) -> Callable[[Any], Any]:
    """Return what puts a number in the first place of the right array."""

    def put(right: Any) -> Any:
        array = np.array(right, dtype=float)
        array.flat[0] = value
        return array

    return put


SAME: Callable[[Any], Any] = lambda right: right  # noqa: E731
EVERYTHING: dict[str, Callable[[Any], Any]] = {
    "None": lambda _: None,
    "a text": lambda _: "0.5",
    "an object": lambda _: object(),
    "a dict": lambda _: {},
    "complex": lambda right: np.asarray(right) * 1j,
}
ARRAYS: dict[str, Callable[[Any], Any]] = {
    "NaN": nowhere(np.nan),
    "infinite": nowhere(np.inf),
    "all NaN": lambda right: np.full(np.shape(right), np.nan),
    "a scalar": lambda _: 0.5,
    "empty": lambda _: np.zeros(0),
    "twice": lambda right: np.concatenate([right, right], axis=-1),
    "too short": lambda right: np.asarray(right)[..., :-1],
    "another axis": lambda right: np.asarray(right)[None],
    "ragged": lambda _: [[1.0], [1.0, 0.0]],
}
RANGED = {"negative": nowhere(-0.5), "above 1": nowhere(1.5), "a million": nowhere(1e6)}
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "NaN": lambda _: float("nan"),
    "infinite": lambda _: np.float64("inf"),
    "an array": lambda _: np.zeros(2),
    "a list": lambda _: [0.5],
    "a truth value": lambda _: True,
}


def changed(**fields: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def change(right: Any) -> Any:
        return replace(right, **{name: of(getattr(right, name)) for name, of in fields.items()})

    return change


WRONG: dict[str, dict[str, Callable[[Any], Any]]] = {
    "encoder": {**EVERYTHING, **ARRAYS, **RANGED, "half a spike": nowhere(0.5)},
    "currents": {**EVERYTHING, **ARRAYS, **RANGED},
    "policy": {
        **EVERYTHING,
        **ARRAYS,
        **RANGED,
        "votes": lambda right: 3.0 * right,
        "nothing": np.zeros_like,
    },
    "choices": {
        **EVERYTHING,
        "a negative action": changed(actions=lambda a: a - 9),
        "no such action": changed(actions=lambda a: a + 9),
        "many actions": changed(actions=lambda a: np.tile(a, 2)),
        "no probabilities": changed(policy=nowhere(np.nan)),
        "short phi": changed(phi=lambda phi: phi[:-1]),
        "infinite t": changed(t=nowhere(np.inf)),
    },
    "modulator": {**EVERYTHING, **NUMBERS},
    "hearing": {**EVERYTHING, **NUMBERS},
    "schedule": {**EVERYTHING, **NUMBERS, "negative": lambda _: -1e-9},
    "critic": {**EVERYTHING, **NUMBERS},
    "draws": {**EVERYTHING, **NUMBERS, "negative": lambda _: -1, "half": lambda _: 0.5},
    "repeats": {**EVERYTHING, **NUMBERS, "none": lambda _: 0, "half": lambda _: 0.5},
    "slowing": {**EVERYTHING, **NUMBERS, "negative": lambda _: -2.0},
    "flat": {**EVERYTHING, **ARRAYS},
    "writes": {
        **{name: of for name, of in EVERYTHING.items() if name != "None"},
        **ARRAYS,
        "half a unit": nowhere(0.5),
    },
    "features": {**EVERYTHING, **ARRAYS},
    "cells": {**EVERYTHING, **ARRAYS},
    "rule": {
        **EVERYTHING,
        "a scalar": changed(output=lambda _: 1.0),
        "of a step": changed(output=lambda f: f[0]),
        "too short": changed(output=lambda f: f[:, :-1]),
        "no hidden": changed(hidden=lambda _: ()),
        "a text in it": changed(output=lambda _: "f"),
        "hidden of another shape": changed(hidden=lambda h: tuple(f.T for f in h)),
    },
}
del WRONG["rule"]["complex"]
del WRONG["choices"]["complex"]


@pytest.fixture(autouse=True)
def _right_again() -> Iterator[None]:
    yield
    Answer.of = staticmethod(SAME)


def agent(kind: str, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic(TASK, **{**SMALL, **OWN[kind][1], **options})


@pytest.mark.parametrize("kind", OWN)
def test_what_cannot_be_meant_is_refused_and_named(kind: str) -> None:
    """One agent meets all wrong answers in turn, and goes on with right ones."""
    where, _ = OWN[kind]
    trained = agent(kind)
    for name, wrong in WRONG[kind].items():
        Answer.of = staticmethod(wrong)
        with pytest.raises(ArgumentError) as raised:
            trained.learn(total_steps=trained.steps_taken + 30)
        said = str(raised.value)
        assert said.startswith(where), (name, said)
        assert all(word in said for word in ("got", "limit")), (name, said)
        Answer.of = staticmethod(SAME)
        trained.learn(total_steps=trained.steps_taken + 3)
    for array in trained.state().values():
        assert array.dtype.kind not in "f" or not np.isinf(array).any()
    trained.close()


@pytest.mark.parametrize("options", [{"backend": "native"}, {"arithmetic": "loihi"}])
@pytest.mark.parametrize("kind", ["encoder", "policy", "cells", "rule", "schedule"])
def test_on_other_backends_and_in_other_arithmetic(kind: str, options: dict[str, Any]) -> None:
    trained = agent(kind, **options)
    Answer.of = staticmethod(WRONG[kind]["a text"])
    with pytest.raises(ArgumentError, match="got"):
        trained.learn(total_steps=30)
    trained.close()


@pytest.mark.parametrize("kind", ["encoder", "currents", "features", "cells"])
def test_also_when_it_only_plays(kind: str) -> None:
    trained = agent(kind)
    trained.learn(total_episodes=1)
    Answer.of = staticmethod(WRONG[kind]["twice"])
    with pytest.raises(ArgumentError, match="answers another array"):
        evaluate(trained, 1)
    trained.close()


def test_by_gradients_too() -> None:
    pytest.importorskip("torch", reason="learning by gradients needs PyTorch")
    for kind in ("encoder", "features"):
        where, options = OWN[kind]
        trained = ReparameterizedActorCritic(TASK, **SMALL, **options)
        Answer.of = staticmethod(nowhere(np.nan))
        with pytest.raises(ArgumentError, match=where):
            trained.learn(total_episodes=1)
        Answer.of = staticmethod(SAME)
        trained.close()


def test_numbers_0_and_1_are_spikes() -> None:
    agents = [agent("encoder") for _ in range(2)]
    agents[0].learn(total_episodes=3)
    Answer.of = staticmethod(lambda right: right.astype(float).tolist())
    agents[1].learn(total_episodes=3)
    assert agents[0].episodes == agents[1].episodes
    for one in agents:
        one.close()


@pytest.mark.parametrize("answer", [0, 1, "stop", np.zeros(2), 0.0])
@pytest.mark.parametrize("method", ["on_start", "on_step", "on_update", "on_episode", "on_end"])
def test_what_a_callback_returns_is_true_false_or_nothing(method: str, answer: Any) -> None:
    kind = type("Odd", (Callback,), {})

    def odd(*_: Any) -> Any:
        return answer

    odd.__qualname__ = f"Odd.{method}"
    setattr(kind, method, odd)
    trained = SpikingActorCritic(TASK, **SMALL)
    with pytest.raises(ArgumentError, match=rf"callback Odd\.{method}: .*True, False or None"):
        trained.learn(total_episodes=1, callback=kind())
    trained.close()


def classes(base: type[AnswerChecks]) -> Iterator[type[AnswerChecks]]:
    for cls in base.__subclasses__():
        yield cls
        yield from classes(cls)


def test_every_kind_of_part_says_what_its_methods_answer() -> None:
    """A base whose abstract methods have no check would let anything through."""
    bases: list[type[AnswerChecks]] = [*Part.__subclasses__(), Features]
    for base in bases:
        for name in getattr(base, "__abstractmethods__", ()):
            if not isinstance(getattr(base, name), property):
                assert name in base.answers, (base, name)


WRONG_ATTRIBUTES: dict[str, tuple[str, list[object]]] = {
    "size": ("features", [0, -1, 4.0, "4", None, True, 10**9]),
    "n_inputs": ("features", [0, "4", 10**9]),
    "are_cells": ("cells", [1, "no"]),
    "is_shared": ("trunk", [1, "no", None]),
    "readouts": ("trunk", ["output", None, (1,)]),
    "peak": ("encoder", [-0.1, 1.5, "1", float("nan")]),
    "flows": ("encoder", [0, "no", None]),
    "is_continuous": ("policy", [0, "no"]),
    "draws": ("policy", [-1, 0.5, "2", 10**9]),
    "hold": ("policy", [0, -1, 2.5, "3", None, float("nan")]),
    "repeats": ("policy", [0, 1.5, "2"]),
    "population": ("policy", [0, "2", 10**9]),
    "exploration": ("policy", [-0.1, 1.1, "0.1", None, float("nan")]),
    "alpha": ("critic", [-1.0, "0.1", float("inf")]),
    "lambda_": ("critic", [-0.1, 1.1, None]),
    "initial_value": ("critic", ["1", None, float("nan"), float("inf"), 1j]),
    "changes": ("critic", [-1, 0.5, "1"]),
    "neurons": ("critic", [-2, 2.0, "2"]),
    "has_shadow": ("writes", [1, "yes"]),
    "accumulates": ("writes", [1, "yes"]),
    "every": ("writes", [0, 1.5, "2"]),
    "limit": ("modulator", [-1.0, "1", float("nan")]),
    "is_td_error": ("modulator", [1]),
    "needs_critic": ("modulator", [1]),
    "needs_linear": ("modulator", [1]),
    "on_chip": ("learning", [0]),
}
TEXTS = {"name", "kernel", "requires", "source_kind", "widening", "remedy", "answers", "attributes"}


def _given(value: object, part: object) -> object:
    return value


WRONG_IN_TRUNK: dict[str, type[Any]] = {
    "reads_drive": Homeostasis,
    "shares": Homeostasis,
    "learns": RandomFeedback,
    "is_forward": RandomFeedback,
}
"""Map flags of the parts of a shared trunk to a class that has them."""


@pytest.mark.parametrize("name", WRONG_IN_TRUNK)
def test_a_flag_of_a_part_of_the_trunk_is_a_truth_value(name: str) -> None:
    base = WRONG_IN_TRUNK[name]
    for value in (1, "no", None):
        part: Any = object.__new__(type("Own", (base,), {name: value}))
        kind = "normalisation" if base is Homeostasis else "feedback"
        with pytest.raises(DescriptionError, match=rf"Own\.{name}: .*got"):
            Shared(**{kind: part})


@pytest.mark.parametrize("name", WRONG_ATTRIBUTES)
def test_an_attribute_that_cannot_be_meant_is_refused_and_named(name: str) -> None:
    kind, values = WRONG_ATTRIBUTES[name]
    options = {
        **SMALL,
        **(OWN[kind][1] if kind in OWN else {"learning": writes.Host(), "trunk": Modules()}),
    }
    base: Any = type(options[kind])
    for value in values:
        own = type("Own", (base,), {name: property(partial(_given, value))})
        part: Any = object.__new__(own)
        with pytest.raises(DescriptionError, match=rf"Own\.{name}: .*got") as raised:
            SpikingActorCritic(TASK, **{**options, kind: part})
        assert "\n" not in str(raised.value)


def test_every_attribute_that_users_may_define_is_checked() -> None:
    """A property or constant of a base class that nobody checks would let anything through."""
    found: set[str] = set()
    bases: list[Any] = [*Part.__subclasses__(), Features]
    for base in bases:
        constants = {
            name
            for name, value in inspect.getmembers(base)
            if not (name.startswith("_") or callable(value))
        }
        assert {*base.attributes} == constants - TEXTS, base
        found |= {*base.attributes}
    assert found == {*WRONG_ATTRIBUTES, *WRONG_IN_TRUNK}


def test_the_library_s_own_parts_are_not_slowed_down() -> None:
    own = [cls for cls in classes(AnswerChecks) if cls.__module__.startswith("neurorl.")]
    assert len(own) > 30
    for cls in own:
        for name in cls.answers:
            assert not hasattr(cls.__dict__.get(name), "__wrapped__"), (cls, name)
    assert hasattr(OwnPolicy.distribution, "__wrapped__")
