"""Begin on the reference until a backend's code is compiled, with equal bits whenever that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neurorl import Recording, SpikingActorCritic
from neurorl.agents.replicas import _WAITING_STEPS as WAITING_STEPS
from neurorl.agents.replicas import Replicas
from neurorl.backends.brian2 import Brian2Simulator
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.registry import backend_class
from neurorl.errors import BackendError
from neurorl.learning.loops import choose
from neurorl.learning.loops.native import NativeLoop
from neurorl.models.presets import make_config
from neurorl.native import background, toolchain
from neurorl.native.build import has_library
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}
STEPS = 3 * WAITING_STEPS + 9


class Soon:
    """Be over after some looks, as a compiler is after some seconds."""

    problem = None

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def is_over(self) -> bool:
        """Count a look."""
        self.looks -= 1
        return self.looks < 0


def pretend(
    monkeypatch: pytest.MonkeyPatch, backend: str, looks: int, of_loop: int | None = None
) -> Soon:
    """Let the backend's code, and for a number that of the loop, be missing for some looks."""
    soon = Soon(looks)
    monkeypatch.setattr(backend_class(backend), "begin", lambda *_: soon)
    if of_loop is not None:
        building = Soon(of_loop)
        monkeypatch.setattr(choose, "has_library", lambda: False)
        monkeypatch.setattr(choose, "begin_building", lambda: building)
    return soon


def learned(
    env: str, model: str, options: dict[str, Any], backend: str, wait: bool = False
) -> Replicas:
    """Return three agents that have learned, with a pause within an episode."""
    config = make_config(make_env(env), model, {**SMALL, **options})
    envs = SeparateEnvs([make_env(env) for _ in range(3)])
    n_actions = int(envs.envs[0].action_space.n)  # type: ignore[attr-defined]
    agents = Replicas(envs, config, n_actions, (3, 1, 4), backend=backend)
    if wait:
        assert agents.backend.ready(wait=True)
    agents.learn(total_steps=WAITING_STEPS + 5)
    agents.learn(total_steps=STEPS)
    return agents


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Compare two states in every bit."""
    assert one.keys() == other.keys()
    for name, numbers in one.items():
        assert numbers.dtype == other[name].dtype, name
        assert numbers.tobytes() == other[name].tobytes(), name  # zeros have their signs too


def is_early(agent: SpikingActorCritic) -> bool:
    """Return whether the reference runs in place of the agent's backend."""
    return isinstance(agent.backend.simulator, ReferenceSimulator)


def small(wait: bool = False, **others: Any) -> SpikingActorCritic:
    """Return a small agent; *wait* for its backend."""
    agent = SpikingActorCritic("CartPole-v1", backend="brian2", seed=2, **SMALL, **others)
    if wait:
        assert agent.backend.ready(wait=True)
    return agent


CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("CartPole-v1", "lif", {}, "brian2"),
    ("CartPole-v1", "lif", {"rule": "td-stdp"}, "brian2:loihi"),
    ("CartPole-v1", "lif-spiking-critic", {}, "loihi"),
    ("CartPole-v1", "lif", {"writes": "stochastic"}, "loihi"),
    ("neurorl/GridWorld-v0", "lif", {"hidden": (3, 2)}, "torch"),
    ("CartPole-v1", "lif", {"encoder": "current"}, "brian2"),
]


@pytest.mark.parametrize(("env", "model", "options", "backend"), CASES)
def test_the_bits_are_those_of_the_backend(
    env: str, model: str, options: dict[str, Any], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = backend.partition(":")[0]
    cls = pytest.importorskip(
        f"neurorl.backends.{name}", reason=f"{name} is not installed"
    ) and backend_class(name)
    plain = learned(env, model, options, backend, wait=True)
    assert isinstance(plain.backend.simulator, cls)
    for looks, of_loop in ((2, None), (3, 2)):
        pretend(monkeypatch, name, looks, of_loop)
        early = learned(env, model, options, backend)
        assert isinstance(early.backend.simulator, cls)
        assert isinstance(early.loop, NativeLoop)
        for k in range(3):
            same(early.state(k), plain.state(k))
        early.close()
    plain.close()


@pytest.mark.parametrize("backend", ["brian2", "loihi", "torch"])
@pytest.mark.parametrize("carries", [False, True])
def test_states_are_those_of_the_backend_meanwhile(
    backend: str, carries: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(f"neurorl.backends.{backend}", reason=f"{backend} is not installed")
    states = []
    for is_pretended in (False, True):
        if is_pretended:
            pretend(monkeypatch, backend, 10**6)
        agent = SpikingActorCritic("CartPole-v1", backend=backend, seed=2, carries=carries, **SMALL)
        assert agent.backend.ready(wait=not is_pretended) != is_pretended
        for steps in (31, 32, 33, 70):
            agent.learn(total_steps=steps)
            states.append(agent.state())
    for early, plain in zip(states[4:], states[:4], strict=True):
        same(early, plain)


def test_it_is_saved_and_goes_on_whenever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("brian2", reason="brian2 is not installed")
    plain = small(wait=True)
    plain.learn(total_steps=STEPS)
    for of_loop in (None, 10**6):
        pretend(monkeypatch, "brian2", 10**6, of_loop)
        agent = small()
        agent.learn(total_steps=40)
        assert is_early(agent)
        agent.save(tmp_path / "agent.npz")
        soon = pretend(monkeypatch, "brian2", 10**6)
        monkeypatch.setattr(choose, "has_library", lambda: True)
        again = SpikingActorCritic.load(tmp_path / "agent.npz")
        assert is_early(again)
        again.learn(total_steps=100)
        soon.looks = 0
        again.learn(total_steps=STEPS)
        assert not is_early(again)
        same(again.state(), plain.state())


def test_an_agent_of_several_environments_goes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("brian2", reason="brian2 is not installed")
    plain = small(wait=True, environments=3)
    plain.learn(total_steps=STEPS)
    pretend(monkeypatch, "brian2", 2, 1)
    early = small(environments=3)
    early.learn(total_steps=STEPS)
    assert not is_early(early)
    same(early.state(), plain.state())
    same(early.weights, plain.weights)


def test_weights_that_a_user_writes_meanwhile_are_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("brian2", reason="brian2 is not installed")
    states = []
    for looks in (None, 10**6):
        soon = None if looks is None else pretend(monkeypatch, "brian2", looks)
        agent = small(wait=looks is None)
        agent.learn(total_steps=20)
        for weights in agent.memory.weights.values():
            weights *= 0.5
        if soon is not None:
            soon.looks = 0
        agent.learn(total_steps=60)
        assert not is_early(agent)
        states.append(agent.state())
    same(*states)


def test_a_backend_that_does_not_compile_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("brian2", reason="brian2 is not installed")
    plain = small(wait=True)
    plain.learn(total_steps=STEPS)

    def fail(*_: object) -> None:
        raise BackendError("backend brian2", "can't build the network in this test")

    pretend(monkeypatch, "brian2", 1)
    monkeypatch.setattr(Brian2Simulator, "build", fail)
    early = small()
    with pytest.warns(RuntimeWarning, match="in this test.*the reference runs in its place"):
        early.learn(total_steps=100)
    early.learn(total_steps=STEPS)  # a warning would be an error
    assert is_early(early)
    assert isinstance(early._replicas.loop, NativeLoop)
    same(early.state(), plain.state())


def test_what_only_the_backend_has_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("brian2", reason="brian2 is not installed")
    plain = small(backend_options={"engine": "compiled"})
    assert not is_early(plain)  # as the engine was asked for
    pretend(monkeypatch, "brian2", 10**6)
    agent = small()
    assert is_early(agent)
    assert agent.backend.name == "brian2"
    assert agent.backend.transmitted("hidden_output") is None
    assert agent.backend.engine == "compiled"  # type: ignore[attr-defined]
    assert not is_early(agent)
    agent.learn(total_steps=20)
    plain.learn(total_steps=20)
    same(agent.state(), plain.state())


def test_a_recording_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("brian2", reason="brian2 is not installed")
    soon = pretend(monkeypatch, "brian2", 10**6)
    agent = small()
    with Recording(agent.backend, ["output.spikes"]):
        soon.looks = 0
        agent.learn(total_steps=20)
        assert is_early(agent)
    agent.learn(total_steps=40)
    assert not is_early(agent)


def test_a_file_is_compiled_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "one.cpp"
    source.write_text('extern "C" int one() { return 1; }\n')
    building = background.begin_library(source)
    assert building is not None
    assert building.problem is None
    assert has_library(source)
    assert background.begin_library(source) is None
