"""Let users' own normalisations, step sizes, feedback and observations take part."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from deep_agents import Small, deep_agent, differing, known, loop_of

from neurorl import SpikingActorCritic
from neurorl.errors import ArgumentError, DescriptionError, FallbackWarning, UnsupportedError
from neurorl.learning.deep.native import DeepNativeLoop
from neurorl.learning.loops import checks
from neurorl.models.deep.feedback import FEEDBACKS, Feedback, Random
from neurorl.models.deep.normalisation import NORMALISATIONS, Homeostasis, Normalisation, Pool
from neurorl.models.deep.observations import OBSERVATIONS, AsSeen, Observations
from neurorl.models.deep.step_size import STEP_SIZES, Plain, StepSize
from neurorl.models.deep.trunk import Shared, Trunk
from neurorl.native import toolchain
from neurorl.numerics.arrays import Array, FloatArray

compiled = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


@dataclass(frozen=True, eq=False)
class SamePool(Pool):
    """Compute what its base does; nobody can know that."""


@dataclass(frozen=True, eq=False)
class Fixed(Normalisation):
    """Take off a number."""

    shift: float = 0.1

    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        return np.full(len(mean), self.shift), np.full(len(mean), 0.5)


@dataclass(frozen=True, eq=False)
class Sign(StepSize):
    """Step by the sign of the signal."""

    def steps(self, signal: Array, mean_square: Array, decisions: int) -> Array:
        mean_square += np.abs(signal)
        return np.sign(signal)


@dataclass(frozen=True, eq=False)
class Ones(Feedback):
    """Tell all neurons the same."""

    learns: ClassVar[bool] = True

    def first(self, draws: Array) -> Array:
        return np.ones(draws.shape)


@dataclass(frozen=True, eq=False)
class Opposites(Observations):
    """See each number and what it lacks."""

    def channels(self, n: int) -> int:
        return 2 * n

    def activation(
        self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int
    ) -> FloatArray:
        return np.concatenate([seen, 1.0 - seen])


OWN: dict[str, tuple[str, Any, Any]] = {
    "normalisation": ("normalisation 'test_own_parts:Fixed'", Fixed, NORMALISATIONS),
    "step_size": ("step_size 'test_own_parts:Sign'", Sign, STEP_SIZES),
    "observations": ("observations 'test_own_parts:Opposites'", Opposites, OBSERVATIONS),
}


@pytest.fixture(autouse=True)
def warned_of_nothing() -> Iterator[None]:
    """Forget of what was warned in other tests, as each part is named once."""
    checks.is_users.cache_clear()
    checks.warned.cache_clear()
    yield
    checks.is_users.cache_clear()
    checks.warned.cache_clear()


@pytest.mark.parametrize("field", OWN)
def test_a_users_part_runs_in_numpy_and_says_so(field: str, tmp_path: Path) -> None:
    _, kind, _ = OWN[field]
    option = {f"trunk.{field}": kind()}
    if toolchain.problem() is None:
        with pytest.warns(FallbackWarning, match=f"{field}.*{kind.__name__}.*has no compiled form"):
            agent = deep_agent(**option)
        with pytest.raises(UnsupportedError, match=f"'native'.*{field}.*{kind.__name__}.*numpy"):
            deep_agent(loop="native", **option)
    else:
        agent = deep_agent(loop="numpy", **option)
    assert not isinstance(loop_of(agent), DeepNativeLoop)
    before = known(agent)
    agent.learn(total_steps=60)
    assert "weights hidden_output" in differing(known(agent), before)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its environment has no id
        whole = deep_agent(loop="numpy", **option)
        whole.learn(total_steps=90)
        agent.save(tmp_path / "agent.npz")
        again = SpikingActorCritic.load(tmp_path / "agent.npz", env=Small())
        again.learn(total_steps=90)
        assert not differing(known(again), known(whole))
        again.predict(np.ones(5, dtype=bool))
    for one in (agent, whole, again):
        one.close()


def test_a_part_derived_from_one_of_the_library_isnt_taken_for_it() -> None:
    """A derived class may compute something else; here it computes the same, in NumPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        own = deep_agent(**{"trunk.normalisation": SamePool()})
    assert not isinstance(loop_of(own), DeepNativeLoop)
    shipped = deep_agent(**{"trunk.normalisation": "pool"})
    for agent in (own, shipped):
        agent.learn(total_steps=60)
    assert not differing(known(own), known(shipped))
    own.close()
    shipped.close()


@compiled
def test_a_users_feedback_runs_in_cpp() -> None:
    """C++ asks it nothing: it has the synapses, and whether they learn."""
    found = []
    for loop in (None, "native", "numpy"):
        agent = deep_agent(loop=loop, hidden=(5, 4), **{"trunk.feedback": Ones()})
        assert isinstance(loop_of(agent), DeepNativeLoop) == (loop != "numpy")
        assert (loop_of(agent).memory.lasting["hidden_output.feedback"] == 1.0).all()
        agent.learn(total_steps=60)
        found.append(known(agent))
        agent.close()
    assert not differing(found[0], found[2])
    assert not differing(found[1], found[2])


def test_without_a_compiler_all_runs_in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "problem", lambda: "no C++ compiler")
    with pytest.warns(RuntimeWarning, match="runs in NumPy"):
        agent = deep_agent()
    assert not isinstance(loop_of(agent), DeepNativeLoop)
    agent.learn(total_steps=10)
    own = deep_agent(loop="numpy", **{"trunk.step_size": Sign()})
    own.learn(total_steps=10)
    agent.close()
    own.close()


@pytest.mark.parametrize("field", OWN)
def test_a_registered_part_is_found_by_name(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kind, registry = OWN[field]
    monkeypatch.setattr(registry, "_classes", {**registry._classes})
    registry.register("ones-own", kind)
    agent = deep_agent(loop="numpy", **{f"trunk.{field}": "ones-own"})
    part = getattr(agent.config.trunk, field)
    assert type(part) is kind
    again = type(agent.config).from_dict(agent.config.to_dict())
    assert again == agent.config
    with pytest.raises(ArgumentError):
        registry.register("another", Random)
    with pytest.raises(ArgumentError, match="ones-own"):
        registry.register("ones-own", registry.default)
    agent.close()


def test_parts_are_chosen_by_names() -> None:
    names = {
        "trunk.normalisation": "homeostasis",
        "trunk.feedback": "random",
        "trunk.step_size": "plain",
        "trunk.observations": "as-seen",
    }
    agent = deep_agent(**names)
    trunk = agent.config.trunk
    assert isinstance(trunk, Shared)
    assert {f"trunk.{field}": part.name for field, part in trunk.inner.items()} == names
    signs: dict[str, Any] = {"trunk.feedback": FEEDBACKS["signs"]()}
    changed = agent.config.changed(**signs)
    assert isinstance(changed.trunk, Shared)
    assert changed.trunk.feedback.name == "signs"
    assert isinstance(changed.trunk.normalisation, Homeostasis)
    agent.close()


@dataclass(frozen=True, eq=False)
class Several(Plain):
    def steps(self, signal: Array, mean_square: Array, decisions: int) -> Array:
        return np.asarray(signal[0])


@dataclass(frozen=True, eq=False)
class Flat(Fixed):
    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        return mean


@dataclass(frozen=True, eq=False)
class Shrunk(Fixed):
    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        return mean, -np.ones(len(mean))


@dataclass(frozen=True, eq=False)
class Bright(AsSeen):
    def activation(
        self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int
    ) -> FloatArray:
        return seen + 1.5


@dataclass(frozen=True, eq=False)
class Nothing(AsSeen):
    def channels(self, n: int) -> int:
        return 0


@dataclass(frozen=True, eq=False)
class Odd(Random):
    def first(self, draws: Array) -> Array:
        return np.full(draws.shape, np.nan)


@pytest.mark.parametrize(
    ("field", "part", "words"),
    [
        ("step_size", Several(), r"Several\.steps"),
        ("normalisation", Flat(), r"Flat\.normal.*pair"),
        ("normalisation", Shrunk(), r"Shrunk\.normal, scale"),
        ("observations", Bright(), r"Bright\.activation"),
        ("observations", Nothing(), r"Nothing\.channels"),
        ("feedback", Odd(), r"Odd\.first"),
    ],
)
def test_wrong_answers_of_parts_are_refused(field: str, part: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        deep_agent(loop="numpy", **{f"trunk.{field}": part}).learn(total_steps=40)


@dataclass(frozen=True, eq=False)
class Strange(Trunk):
    is_shared: ClassVar[bool] = True


def test_a_trunk_that_isnt_derived_from_shared_is_refused() -> None:
    with pytest.raises(DescriptionError, match=r"trunk.*Strange.*derive it from Shared"):
        deep_agent(trunk=Strange())
