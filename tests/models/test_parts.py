"""Test that encoders, policies, critics and the like are objects, also those of users."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import AgentConfig, SpikingActorCritic, evaluate
from neurorl.errors import (
    ArgumentError,
    DescriptionError,
    FallbackWarning,
    UnknownNameError,
    UnsupportedError,
)
from neurorl.learning.loops import checks
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.models.agent.critics import Critic, Linear, Optimistic
from neurorl.models.agent.encoders import Bernoulli, Current, Encoder, Quiet
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.modulators import Modulator, Reward, TDError
from neurorl.models.agent.options import AgentOptions
from neurorl.models.agent.policies import (
    POLICIES,
    AnnealedSoftmax,
    EpsilonGreedy,
    Greedy,
    Policy,
    Softmax,
    softmax,
)
from neurorl.models.agent.schedules import HarmonicDecay, LinearFall, Schedule
from neurorl.models.agent.writes import Accumulate, Host, OnChip, Register, Shadow, Writes
from neurorl.models.deep.trunk import Modules
from neurorl.models.defaults.presets import make_config
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import declared_types
from neurorl.tasks.environments import make_env

CART = "CartPole-v1"  # rewards every step


@dataclasses.dataclass(frozen=True, eq=False)
class Even(Policy):
    """Choose by the softmax of the square roots of votes, at least *share* for each action."""

    share: float = 0.1

    def distribution(self, votes: FloatArray) -> FloatArray:
        return softmax(np.sqrt(votes), 1.0, self.share * len(votes))


@dataclasses.dataclass(frozen=True, eq=False)
class Late(Encoder):
    """Spike in every step from one on that comes the earlier, the more active a cell is."""

    jitter: float = 1.0

    def draws(self, window: int) -> int:
        return 1

    def encode(self, activation: FloatArray, u: FloatArray, window: int) -> npt.NDArray[Any]:
        first = window * (1.0 - activation) + self.jitter * u[0]
        return np.asarray(np.arange(window)[:, None] >= first)


@dataclasses.dataclass(frozen=True, eq=False)
class Halving(Schedule):
    """Halve the rates in every so many episodes."""

    episodes: int = 2

    def rate(self, episode: int) -> float:
        return 0.5 ** (episode // self.episodes)


@dataclasses.dataclass(frozen=True, eq=False)
class Signed(Modulator):
    """Return the sign of the TD error, times a running mean of its size."""

    speed: float = 0.5

    def signal(self, reward: float, td_error: float, mean: FloatArray, step: float) -> float:
        mean[0] += self.speed * (abs(td_error) - mean[0])
        return float(np.sign(td_error) * mean[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Optimist(Linear):
    """Learn as a linear critic of twice the step size."""

    def values(self, weights: FloatArray, trace: FloatArray, x: FloatArray, gamma: float) -> Any:
        whole = super().values(weights, trace, x, gamma)
        return dataclasses.replace(whole, alpha=2 * self.alpha)


@dataclasses.dataclass(frozen=True, eq=False)
class Steps(Writes):
    """Change a weight by a unit in the direction of dw, however large that is."""

    def units(
        self, change: FloatArray, inverse: float, kept: Any, rounded: Any, is_turn: bool
    ) -> FloatArray:
        return np.sign(change)


OWN: dict[str, Any] = {
    "encoder": Late(jitter=2.0),
    "policy": Even(share=0.05),
    "schedule": Halving(episodes=3),
    "modulator": Signed(limit=1.5, speed=0.25),
    "critic": Optimist(alpha=0.2),
}


@pytest.fixture
def quiet_fallback() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        yield


def config_of(**options: Any) -> AgentConfig:
    return make_config(make_env(CART), "lif", options)


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.usefixtures("quiet_fallback")
def test_a_users_own_part_learns_is_saved_and_played(kind: str, tmp_path: Path) -> None:
    part = OWN[kind]
    agent = SpikingActorCritic(CART, seed=1, **{kind: part})
    assert getattr(agent.config, kind) is part
    assert isinstance(agent._replicas.loop, NumpyLoop) == KINDS[kind].compiled
    shipped = SpikingActorCritic(CART, seed=1)
    agent.learn(total_episodes=4)
    shipped.learn(total_episodes=4)
    assert any((agent.weights[n] != w).any() for n, w in shipped.weights.items())
    path = tmp_path / "agent.npz"
    agent.save(path)
    loaded = SpikingActorCritic.load(path)
    assert loaded.config == agent.config
    assert getattr(loaded.config, kind) == part
    scores = [evaluate(a, episodes=2, seed=3)["mean_return"] for a in (agent, loaded)]
    assert scores[0] == scores[1]
    agent.learn(total_episodes=6)
    loaded.learn(total_episodes=6)
    for name, w in agent.weights.items():
        assert np.array_equal(loaded.weights[name], w)


def test_all_own_parts_together_and_what_they_see() -> None:
    checks.is_users.cache_clear()
    with pytest.warns(FallbackWarning, match=r"encoder '.*test_parts:Late'.*NumPy"):
        agent = SpikingActorCritic(CART, seed=1, **OWN)
    agent.learn(total_episodes=4)
    loop = agent._replicas.loop
    assert loop.rate[0] == 0.5  # of the fourth episode
    assert loop.memory.mean_reward[0] > 0.0  # what Signed keeps
    assert agent.player(1, explore=True).move(np.zeros(4)).policy.min() >= 0.05
    assert (np.diff(loop.window.inputs["input"].astype(int), axis=0) >= 0).all()  # none ends


@pytest.mark.usefixtures("quiet_fallback")
def test_own_writes_go_by_units() -> None:
    agent = SpikingActorCritic(CART, seed=1, arithmetic="loihi", writes=Steps())
    before = {name: w.copy() for name, w in agent.weights.items()}
    agent.learn(total_episodes=2)
    rounding = agent.backend.arithmetic.rounding("input_hidden")
    moved = (agent.weights["input_hidden"] - before["input_hidden"]) * rounding.inverse
    assert np.abs(moved - np.rint(moved)).max() < 1e-9
    assert any((agent.weights[name] != w).any() for name, w in before.items())


def test_the_compiled_loop_refuses_an_own_part() -> None:
    with pytest.raises(UnsupportedError, match=r"policy '.*:Even' is not compiled"):
        SpikingActorCritic(CART, policy=Even(), loop="native")


def test_a_derived_class_has_no_kernel_of_its_base() -> None:
    assert (Linear.kernel, Optimist.kernel) == ("linear", None)
    assert Optimist.name.endswith("test_parts:Optimist")


def test_a_file_says_what_to_import(tmp_path: Path) -> None:
    (tmp_path / "own_policy.py").write_text(
        "from dataclasses import dataclass\n"
        "from neurorl.models.agent.policies import Policy, greedy\n"
        "@dataclass(frozen=True, eq=False)\n"
        "class Best(Policy):\n"
        "    slack: float = 0.0\n"
        "    def distribution(self, votes): return greedy(votes)\n"
    )
    make = (
        "import own_policy, json; from neurorl.models.defaults.presets import make_config\n"
        "from neurorl.tasks.environments import make_env\n"
        f"c = make_config(make_env({CART!r}), 'lif', {{'policy': own_policy.Best(0.5)}})\n"
        "print(json.dumps(c.to_dict()))"
    )
    made = subprocess.run(
        [sys.executable, "-c", make], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    data = json.loads(made.stdout)
    assert data["policy"] == {"type": "own_policy:Best", "slack": 0.5}
    assert "beta" not in data
    with pytest.raises(UnknownNameError, match="import own_policy first"):
        AgentConfig.from_dict(data)
    assert "own_policy" not in sys.modules


@pytest.mark.parametrize(
    ("options", "kind", "part"),
    [
        ({"policy": "greedy"}, "policy", Greedy()),
        ({"policy.beta": 0.7, "policy.exploration": 0.1}, "policy", Softmax(0.7, 0.1)),
        ({"policy": Softmax(0.7)}, "policy", Softmax(0.7, 0.0)),
        ({"policy": Softmax(0.7), "policy.exploration": 0.2}, "policy", Softmax(0.7, 0.2)),
        ({"policy": "epsilon-greedy", "policy.epsilon": 0.3}, "policy", EpsilonGreedy(0.3)),
        ({"policy": "annealed-softmax"}, "policy", AnnealedSoftmax(0.15)),
        ({"encoder": "current"}, "encoder", Current()),
        ({"encoder": Bernoulli(0.5)}, "encoder", Bernoulli(0.5)),
        ({"encoder.peak": 0.5}, "encoder", Quiet(0.5)),
        ({"critic": Linear(alpha=0.3)}, "critic", Linear(0.3, 0.9, 0)),
        ({"critic.lambda_": 0.5}, "critic", Linear(0.1, 0.5)),
        ({"critic": "optimistic", "critic.initial_value": 5}, "critic", Optimistic(0.1, 0.9, 0, 5)),
        ({"modulator": "reward"}, "modulator", Reward(2.0)),
        ({"modulator": TDError()}, "modulator", TDError(None)),
        ({"schedule.end": 0.5, "schedule.episodes": 3}, "schedule", LinearFall(0.5, 3)),
        ({"schedule": "slowing", "schedule.decisions": 9}, "schedule", HarmonicDecay(9)),
        ({"writes": "accumulate", "writes.every": 4}, "writes", Accumulate(4)),
        ({"writes": Register()}, "writes", Register()),
        ({"learning": "pes", "learning.magnitude": 30.0}, "learning", OnChip(30.0)),
        ({"learning": OnChip(30.0)}, "learning", OnChip(30.0)),
    ],
)
def test_names_fields_and_objects_mean_the_same(options: Any, kind: str, part: Any) -> None:
    """A part that is named takes the fields that it shares with the preset's."""
    beside = {"lambda_actor": 0.0} if kind == "learning" else {}  # which the chip needs
    config = config_of(**beside).changed(**options)
    assert getattr(config, kind) == part
    assert getattr(config_of(**beside, **options), kind) == part
    data = json.loads(json.dumps(config.to_dict()))
    assert data[kind] == part.to_dict()
    assert AgentConfig.from_dict(data) == config


def test_defaults_are_the_first_of_each_kind() -> None:
    config = config_of()
    classes = [type(part) for part in config.parts.values()]
    assert classes == [Quiet, Softmax, Linear, Shadow, TDError, LinearFall, Host, Modules]


def test_the_options_of_constructors_are_the_fields_of_agents() -> None:
    chosen_by_nobody = {"model", "first_play_steps", "looked"}
    fields = {field.name for field in dataclasses.fields(AgentConfig)}
    assert AgentOptions.__annotations__.keys() == fields - chosen_by_nobody
    options, declared = declared_types(AgentOptions), declared_types(AgentConfig)
    for name, kind in options.items():
        assert kind == (declared[name] | str if name in KINDS else declared[name]), name


def test_a_checker_of_types_knows_the_options(tmp_path: Path) -> None:
    """It takes each line but those that say that they are wrong."""
    program = tmp_path / "program.py"
    program.write_text(
        "from neurorl import LinearActorCritic, ReparameterizedActorCritic, SpikingActorCritic\n"
        "from neurorl.models.agent.policies import Softmax\n"
        "agent = SpikingActorCritic('CartPole-v1', hidden=(8, 4), policy=Softmax(beta=0.2))\n"
        "SpikingActorCritic('CartPole-v1', policy='greedy', gamma=1)\n"
        "agent.config.changed(hidden=4)\n"
        "SpikingActorCritic('CartPole-v1', beta=0.2)  # wrong\n"
        "SpikingActorCritic('CartPole-v1', hidden='8')  # wrong\n"
        "SpikingActorCritic('CartPole-v1', policy=Softmax(bta=0.2))  # wrong\n"
        "ReparameterizedActorCritic('CartPole-v1', hiden=4)  # wrong\n"
        "LinearActorCritic('CartPole-v1', hidden=4)  # wrong\n"
        "agent.config.changed(polcy=Softmax())  # wrong\n"
        "agent.config.beta  # wrong\n"
    )
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--config-file=", str(program)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = program.read_text().splitlines()
    wrong = {k for k, line in enumerate(lines, 1) if "# wrong" in line}
    assert {int(line.split(":")[1]) for line in told.splitlines() if ": error:" in line} == wrong


def test_what_is_no_part_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="policy"):
        config_of(policy=Quiet())
    with pytest.raises(UnknownNameError, match=r"policy.*did you mean 'softmax'"):
        config_of(policy="sofmax")
    with pytest.raises(UnknownNameError, match="import nowhere first"):
        config_of(policy="nowhere:Best")
    with pytest.raises(UnknownNameError, match="no such Policy"):
        config_of(policy=f"{__name__}:Late")
    with pytest.raises(UnknownNameError, match="policy"):
        config_of(policy=Softmax)


def test_a_registered_class_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(POLICIES, "_classes", dict(POLICIES._classes))
    POLICIES.register("even", Even)
    assert config_of(policy="even").policy == Even()
    assert config_of(policy=f"{__name__}:Even").policy == Even()
    with pytest.raises(ArgumentError, match="is taken"):
        POLICIES.register("softmax", Even)
    with pytest.raises(ArgumentError, match="not a name"):
        POLICIES.register("own:even", Even)
    with pytest.raises(ArgumentError, match="not derived from Policy"):
        POLICIES.register("late", Late)  # type: ignore[arg-type]


def test_a_part_whose_fields_have_no_defaults_asks_for_an_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @dataclasses.dataclass(frozen=True, eq=False)
    class Needing(Schedule):
        factor: float

        def rate(self, episode: int) -> float:
            return self.factor

    classes = {**KINDS["schedule"], "needing": Needing}
    monkeypatch.setattr(KINDS["schedule"], "_classes", classes)
    with pytest.raises(DescriptionError, match="pass an object of Needing"):
        config_of(schedule="needing")


def test_every_part_says_what_it_is() -> None:
    for registry in KINDS.values():
        for name, cls in registry.items():
            assert cls.name == name
            assert cls.__doc__
            assert not registry.compiled or cls.kernel or name == "differential-td"  # in NumPy


def test_an_own_critic_is_not_a_base_without_abilities() -> None:
    class Bare(Critic):
        population: ClassVar[str | None] = None

    assert Bare.kernel is None
    assert Bare(0.1).n_values(config_of().features) == config_of().features.size
