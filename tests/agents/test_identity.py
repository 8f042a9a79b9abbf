"""A class equals only itself, not another of the same name, in a file or in a comparison."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError, FallbackWarning, UnknownNameError, UnsupportedError
from neurorl.learning.loops.checks import is_users
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.models import LIF
from neurorl.models.features import Concat, Features, FromNumbers, GaussianCells
from neurorl.network.serialization import Described, type_name
from neurorl.rules import RULES, Decision, Factors, Rule
from neurorl.rules.registry import REWARD_STDP, SPIKES_ONLY

SMALL: dict[str, Any] = {"hidden": 2, "actors": 1}


def users(module: str, name: str = "GaussianCells") -> type[Features]:
    """Define a user's class of features, in a module of this name."""

    def size(self: Any) -> int:
        return 4

    def values(self: Any, flat: Any) -> Any:
        return np.clip(flat, 0.0, 1.0)

    body = {"size": property(size), "values": values, "__module__": module, "__qualname__": name}
    made = types.new_class(name, (FromNumbers,), {}, lambda namespace: namespace.update(body))
    return dataclass(frozen=True, eq=False)(made)


@pytest.fixture(autouse=True)
def no_class_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Described, "_classes", dict(Described._classes))


def test_a_users_class_does_not_replace_the_librarys() -> None:
    theirs = GaussianCells((0.0,), (1.0,))
    data = theirs.to_dict()
    mine = users("my_cells")
    assert data["type"] == "GaussianCells"
    assert type(Features.from_dict(data)) is GaussianCells
    assert type(Features.from_dict(mine().to_dict())) is mine
    assert mine().to_dict()["type"] == "my_cells:GaussianCells"
    assert Concat((mine(),)).to_dict()["parts"][0]["type"] == "my_cells:GaussianCells"


def test_equality_is_by_class() -> None:
    first, second, third = (users(module)() for module in ("one", "two", "one"))
    for other in (second, third):  # the third as of a notebook's cell that ran again
        assert first != other
        assert Concat((first,)) != Concat((other,))
    assert first == type(first)()
    assert Concat((first,)) == Concat((type(first)(),))
    assert GaussianCells((0,), (1,)) == GaussianCells([0.0], [1.0])
    assert GaussianCells((0,), (1,)) != GaussianCells((0,), (2,))
    assert LIF() != GaussianCells((0,), (1,))


def test_two_users_classes_of_one_name_are_both_kept() -> None:
    one, two = users("one", "Mine"), users("two", "Mine")
    for cls in (one, two):
        assert type(Features.from_dict(cls().to_dict())) is cls


def test_a_class_that_is_not_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = users("my_cells", "Mine")().to_dict()
    Described._classes.pop("my_cells:Mine")
    with pytest.raises(UnknownNameError, match="import my_cells first") as told:
        Features.from_dict(data)
    assert "did you mean" not in str(told.value)
    with pytest.raises(UnknownNameError, match="import the module that defines it first"):
        Features.from_dict({"type": "__main__:Mine"})
    with pytest.raises(UnknownNameError, match="import the module that defines it first") as told:
        Features.from_dict({"type": "MyCells"})
    assert "PlaceCells" not in str(told.value)
    odds: tuple[Any, ...] = (3, None, [], {"type": "LIF"})
    for odd in odds:
        with pytest.raises(DescriptionError):
            Features.from_dict({"type": odd})


def test_a_file_imports_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange_cells.py").write_text("open('ran', 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownNameError, match="import strange_cells first"):
        Features.from_dict({"type": "strange_cells:Mine"})
    assert "strange_cells" not in sys.modules


def test_older_files_have_a_users_class_by_its_bare_name() -> None:
    mine = users("my_cells", "Mine")
    assert type(Features.from_dict({"type": "Mine"})) is mine
    users("other_cells", "Mine")
    with pytest.raises(UnknownNameError, match="Mine is several"):
        Features.from_dict({"type": "Mine"})


def test_every_class_of_the_library_has_a_bare_name_of_its_own() -> None:
    from neurorl.reparameterization.config import GradientConfig

    assert type_name(GradientConfig) == "GradientConfig"
    own = [cls for cls in Described._classes.values() if cls.__module__.startswith("neurorl.")]
    assert len({cls.__name__ for cls in own}) == len(own) > 10


CELLS = '''
from dataclasses import dataclass
import numpy as np
from neurorl.models.features import FromNumbers

@dataclass(frozen=True, eq=False)
class Mine(FromNumbers):
    """Own cells."""
    gain: float = 0.5
    @property
    def size(self):
        return 4
    def values(self, flat):
        return np.clip(0.5 + self.gain * flat, 0.0, 1.0)
'''
SAVE = """
from my_cells import Mine
from neurorl import SpikingActorCritic
agent = SpikingActorCritic("CartPole-v1", cells=Mine(0.25), hidden=0, actors=1)
agent.learn(total_episodes=1)
agent.save("agent.npz")
"""
LOAD = """
from neurorl import SpikingActorCritic
agent = SpikingActorCritic.load("agent.npz")
print(agent.config.cells.gain)
"""


def test_own_cells_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "my_cells.py").write_text(CELLS)

    def python(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = python(SAVE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "import my_cells first" in python(LOAD).stderr
    assert python("import my_cells\n" + LOAD).stdout == "0.25\n"


def test_a_users_rule_runs_in_numpy_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(decision: Decision) -> Factors:
        return SPIKES_ONLY(decision)

    monkeypatch.setitem(RULES, "mine", Rule("mine", mine))
    is_users.cache_clear()

    def agents() -> list[SpikingActorCritic]:
        return [SpikingActorCritic("CartPole-v1", rule="mine", seed=2, **SMALL) for _ in range(2)]

    with pytest.warns(FallbackWarning, match="'mine'") as told:
        agent, again = agents()
    assert len(told) == 1
    assert told[0].filename == __file__
    assert isinstance(agent._replicas.loop, NumpyLoop)
    theirs = SpikingActorCritic("CartPole-v1", rule="spikes-only", seed=2, **SMALL)
    lengths = [[e.length for e in one.learn(total_episodes=3)] for one in (agent, again, theirs)]
    assert lengths[0] == lengths[1] == lengths[2]
    assert agent.predict(np.zeros(4)) in (0, 1)
    with pytest.raises(UnsupportedError, match="loop='numpy'"):
        SpikingActorCritic("CartPole-v1", rule="mine", loop="native", **SMALL)


def test_a_rule_that_a_user_replaced_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = SpikingActorCritic("CartPole-v1", rule="spikes-only", seed=2, **SMALL)
    monkeypatch.setitem(RULES, "spikes-only", REWARD_STDP)
    mine = SpikingActorCritic("CartPole-v1", rule="spikes-only", seed=2, **SMALL)
    for agent in (theirs, mine):
        agent.learn(total_episodes=3)
    assert mine.config.rule == "reward-stdp"
    assert any((mine.weights[name] != w).any() for name, w in theirs.weights.items())


@dataclass(frozen=True, eq=False)
class Bent(FromNumbers):
    """Define a user's cells, which aren't the numbers that they are made of."""

    gain: float = 0.5

    @property
    def size(self) -> int:
        return 4

    def values(self, flat: Any) -> Any:
        return np.clip(0.5 + self.gain * flat, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Turned(GaussianCells):
    """Define a user's kind of the library's cells."""

    def values(self, flat: Any) -> Any:
        return super().values(flat)[::-1].copy()


LOW, HIGH = (-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0)
OWN: dict[str, dict[str, Any]] = {
    "cells": {"cells": Bent(0.3)},
    "features": {"features": Bent(0.3)},
    "both": {"cells": Bent(0.3), "features": Bent(0.2)},
    "a kind of the library's": {"cells": Turned(LOW, HIGH, 3), "features": Turned(LOW, HIGH, 4)},
}


@pytest.mark.parametrize("name", OWN)
def test_the_compiled_loop_sees_what_a_users_features_say(name: str) -> None:
    def trained(loop: str) -> SpikingActorCritic:
        agent = SpikingActorCritic("CartPole-v1", seed=3, loop=loop, **SMALL, **OWN[name])
        agent.learn(total_episodes=4)
        return agent

    native, numpy = trained("native"), trained("numpy")
    assert [e.length for e in native.episodes] == [e.length for e in numpy.episodes]
    for projection, weights in native.weights.items():
        np.testing.assert_array_equal(weights, numpy.weights[projection])
    np.testing.assert_array_equal(native.memory.value, numpy.memory.value)
