"""Writing into 8-bit weights: each scheme by hand, on average, and the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorl import Network, Plasticity, Population, Projection, SpikingActorCritic
from neurorl import presets as preset_module
from neurorl.agent import read_agent
from neurorl.arithmetic import Rounding, make_arithmetic
from neurorl.checkpoint import write_checkpoint
from neurorl.cli import main
from neurorl.config import WRITES, AgentConfig
from neurorl.description import Source
from neurorl.envgroup import env_group
from neurorl.envs import make_env
from neurorl.errors import DescriptionError, RunError, UnknownNameError, UnsupportedError
from neurorl.evaluation import evaluate, load_to_play
from neurorl.features import OneHot
from neurorl.learner import Plastic, layers
from neurorl.memory import Memory, memory_for
from neurorl.models import LIF
from neurorl.presets import make_config
from neurorl.random import Stream, uniforms
from neurorl.replicas import Replicas
from neurorl.training import train
from neurorl.writes import Writer, levels, overflow, stochastic_round

CHIP = ("stochastic", "accumulate", "register")
SEED = 11


class Bench:
    """One projection of *n* inputs to 2 outputs with weights 0, and a writer for it."""

    def __init__(self, writes: str, n: int = 2, mask: Any = None, seed: int = SEED) -> None:
        cell = LIF(tau_mem=5e-3, threshold=0.5, noise=0.4)
        plastic = Plasticity(trace_tau=5e-3, low=-0.25, high=1.0)
        network = Network(
            (Source("input", n), Population("output", 2, cell)),
            (Projection("a", "input", "output", 0.0, mask=mask, plasticity=plastic),),
        )
        cells = OneHot(n)
        config = AgentConfig(
            *("own", LIF(), "spikes-only", cells, cells, 4), description=network, writes=writes
        )
        arithmetic = make_arithmetic("loihi", network)
        accumulates = writes != "stochastic"
        weights = {"a": np.zeros((1, n, 2))}
        self.memory: Memory = memory_for(network, weights, n, False, accumulates).of(0)
        self.p: Plastic = layers(network, config)[0].into[0]
        self.rounding: Rounding = arithmetic.rounding("a")
        self._writer = Writer(network, arithmetic, config, self.memory, seed)

    def decide(self, quanta: Any) -> None:
        """One decision whose dw is so many quanta."""
        self.memory.decisions[0] += 1
        self.write(quanta)

    def write(self, quanta: Any, ends: bool = False) -> None:
        change = np.broadcast_to(np.asarray(quanta, dtype=float), self.memory.weights["a"].shape)
        self._writer.write(self.p, change * self.rounding.unit, ends)

    @property
    def n(self) -> Any:
        """The weights in quanta."""
        return np.rint(self.memory.weights["a"] * self.rounding.inverse)

    def draws(self, decision: int, stream: int = Stream.WRITES) -> Any:
        """What the synapses draw in a decision."""
        shape = self.memory.weights["a"].shape
        drawn = uniforms(SEED, stream, int(np.prod(shape)), decision)
        return drawn.reshape(shape)


def test_stochastic_by_hand() -> None:
    bench = Bench("stochastic")
    dw = np.array([[2.25, -0.5], [0.0, 0.75]])
    bench.decide(dw)
    u = bench.draws(1)
    up = u >= np.array([[0.75, 0.5], [2.0, 0.25]])  # what the fraction of dw needs to be rounded up
    assert np.array_equal(bench.n, np.array([[2, -1], [0, 0]]) + up)
    assert up.any()
    assert not up.all()
    before = bench.n
    bench.decide(dw)
    assert np.array_equal(bench.n, before + np.floor(dw + bench.draws(2)))
    assert np.array_equal(bench.memory.weights["a"], bench.n * bench.rounding.unit)


def test_accumulate_by_hand() -> None:
    """15 decisions wait, the 16th writes the sum."""
    bench = Bench("accumulate")
    dw = np.array([[0.25, -0.5], [0.0, 0.31]])
    for _ in range(15):
        bench.decide(dw)
    assert not bench.n.any()
    assert np.allclose(bench.memory.accumulator["a"], 15 * dw * bench.rounding.unit)
    bench.decide(dw)
    assert not bench.memory.accumulator["a"].any()
    assert bench.n[1, 1] == np.floor(16 * 0.31 + bench.draws(16)[1, 1])
    assert np.array_equal(bench.n[:, 0], [4, 0])
    assert bench.n[0, 1] == -8


def test_register_by_hand() -> None:
    """Steps of 1/64 quantum; whole quanta leave it towards zero, the remainder stays."""
    bench = Bench("register")
    bench.decide([[40 / 64, -40 / 64], [100.25 / 64, 0.0]])
    third = 36 + (bench.draws(1)[1, 0] >= 0.75)  # 100 or 101 is 1 quantum and 36 or 37
    assert np.array_equal(bench.memory.accumulator["a"], [[40, -40], [third, 0]])
    assert np.array_equal(bench.n, [[0, 0], [1, 0]])
    bench.decide([[40 / 64, -160 / 64], [0.0, 1.0]])
    assert np.array_equal(bench.memory.accumulator["a"], [[16, -8], [third, 0]])
    assert np.array_equal(bench.n, [[1, -3], [1, 1]])
    quanta, left = overflow(np.array([63.0, 64.0, -64.0, -129.0]))
    assert np.array_equal(quanta, [0, 1, -1, -2])
    assert np.array_equal(left, [63, 0, 0, -1])


def test_the_end_of_an_episode_draws_anew_and_is_no_turn_to_write() -> None:
    """A spiking critic tells of a terminal state after the decision has been learned from."""
    bench = Bench("stochastic")
    bench.decide(0.5)
    before = bench.n
    bench.write(0.5, ends=True)
    drawn = bench.draws(1, Stream.WRITES_AT_ENDS)
    assert np.array_equal(bench.n - before, np.floor(0.5 + drawn))
    assert not np.array_equal(drawn, bench.draws(1))
    bench = Bench("accumulate")
    for _ in range(16):
        bench.decide(1.0)
    bench.write(1.0, ends=True)
    assert np.array_equal(bench.n, np.full((2, 2), 16))
    assert np.allclose(bench.memory.accumulator["a"], bench.rounding.unit)


@pytest.mark.parametrize("writes", CHIP)
def test_weights_stay_in_their_range(writes: str) -> None:
    """-0.25 to 1 is -32 to 127 quanta of 1/127: the nearest, as for a shadow."""
    bench = Bench(writes)
    assert levels(bench.rounding, -0.25, 1.0) == (-32.0, 127.0)
    assert levels(bench.rounding, -9.0, 9.0) == (-127.0, 127.0)
    for _ in range(32):
        bench.decide([[50.3, -50.3], [0.0, 0.0]])
    assert np.array_equal(bench.n, [[127, -32], [0, 0]])


@pytest.mark.parametrize("writes", CHIP)
def test_where_there_is_no_synapse_nothing_is_written_or_waits(writes: str) -> None:
    bench = Bench(writes, mask=[[True, False], [True, True]])
    for _ in range(17):
        bench.decide(0.4)
    assert bench.n[0, 1] == 0
    assert bench.n.sum() > 0
    for a in bench.memory.accumulator.values():
        assert a[0, 1] == 0
        assert a.any()


@settings(max_examples=30, deadline=None)
@given(x=st.floats(-3.0, 3.0), seed=st.integers(0, 2**63 - 1))
def test_writes_are_right_on_average(x: float, seed: int) -> None:
    """The mean of N floor(x + u) is x to within 6 standard deviations and a draw's 2**-33."""
    u = uniforms(seed, Stream.WRITES, 20_000, 5)
    p = x - np.floor(x)
    error = abs(float(stochastic_round(np.full(u.shape, x), u).mean()) - x)
    assert error <= 6 * np.sqrt(p * (1 - p) / len(u)) + 2.0**-33 + 1e-12 + 1 / len(u)


@pytest.mark.parametrize("writes", CHIP)
@pytest.mark.parametrize("x", [0.013, -0.0021, 0.05])
def test_many_decisions_add_up(writes: str, x: float) -> None:
    """2,000 synapses, 192 decisions of x quanta: the mean weight is 192 x within 5 of its s.d."""
    bench = Bench(writes, n=1000)
    for _ in range(192):
        bench.decide(x)
    total = bench.n
    deviation = np.sqrt(192 * abs(x))  # of each weight, at most
    if writes == "register":
        total = total + bench.memory.accumulator["a"] / 64
        deviation = np.sqrt(192 * abs(x) / 64)
    assert abs(total.mean() - 192 * x) < 5 * deviation / np.sqrt(total.size)


@settings(max_examples=40, deadline=None)
@given(dw=st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=12), seed=st.integers(0, 2**63 - 1))
def test_a_register_keeps_the_sum(dw: list[float], seed: int) -> None:
    """Less than a step of 1/64 is lost or won at each decision; nothing if dw is whole steps."""
    bench, exact = Bench("register", seed=seed), Bench("register", seed=seed)
    for bench_ in (bench, exact):  # away from the bounds
        bench_.memory.weights["a"][...] = 40 * bench_.rounding.unit
    for x in dw:
        bench.decide(x)
        exact.decide(np.rint(64 * x) / 64)
        assert np.abs(bench.memory.accumulator["a"]).max() <= 63
    held = 64 * (bench.n - 40) + bench.memory.accumulator["a"]
    assert np.abs(held - 64 * sum(dw)).max() < len(dw) + 1e-9
    held = 64 * (exact.n - 40) + exact.memory.accumulator["a"]
    assert np.array_equal(held, np.full((2, 2), np.rint(64 * np.array(dw)).sum()))


def test_fine_weights_are_written_as_they_are_learned() -> None:
    with pytest.raises(UnsupportedError, match=r"'register'.*'float'.*'loihi'"):
        SpikingActorCritic("CartPole-v1", writes="register")
    with pytest.raises(UnknownNameError, match="register"):
        SpikingActorCritic("CartPole-v1", writes="registr")
    with pytest.raises(DescriptionError, match="write_every"):
        SpikingActorCritic("CartPole-v1", arithmetic="loihi", write_every=0)


def test_the_command_line_refuses_it_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preset_module._LIF_BASE, "writes", "accumulate")
    out = tmp_path / "run"
    assert main(["train", "CartPole-v1", "--episodes", "1", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "accumulate" in error
    assert not out.exists()


def kept(agent: Any, k: int | None = None) -> dict[str, Any]:
    """What it has learned and played."""
    state = agent.state() if k is None else agent.state(k)
    return {
        name: value
        for name, value in state.items()
        if "wall" not in name and not name.startswith("backend.")
    }


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert np.array_equal(ours[name], value), name


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize(
    ("model", "env"), [("lif", "CartPole-v1"), ("glm", "neurorl/GridWorld-v0")]
)
def test_every_backend_writes_the_same(writes: str, model: str, env: str) -> None:
    found = []
    for backend in ("reference", "brian2", "loihi"):
        agent = SpikingActorCritic(
            env, model, backend, "loihi", seed=2, actors=3, hidden=4, writes=writes
        )
        agent.learn(6)
        found.append(kept(agent))
        assert (f"learner.accumulator.{agent.network.projections[0].name}" in found[-1]) == (
            writes in ("accumulate", "register")
        )
        agent.close()
    same(found[1], found[0])
    same(found[2], found[0])


@pytest.mark.parametrize("writes", CHIP)
@pytest.mark.parametrize("backend", ["reference", "brian2", "loihi"])
def test_replicas_write_as_each_would_alone(writes: str, backend: str) -> None:
    """Also where some play longer episodes than others: decisions are counted for each."""
    options = {"actors": 2, "hidden": 3, "writes": writes}
    config = make_config(make_env("CartPole-v1"), "lif", options)
    seeds = (4, 0, 2**62)
    for loop in ("native", "numpy"):
        together = Replicas(
            env_group([make_env("CartPole-v1") for _ in seeds]),
            *(config, 2, seeds),
            backend=backend,
            arithmetic="loihi",
            loop=loop,
        )
        together.learn(3)
        for k, seed in enumerate(seeds):
            alone = SpikingActorCritic("CartPole-v1", "lif", backend, "loihi", seed, config)
            alone.learn(3)
            same(kept(together, k), kept(alone))
            alone.close()
        together.close()


@pytest.mark.parametrize("writes", CHIP)
def test_an_agent_goes_on_elsewhere(writes: str, tmp_path: Path) -> None:
    """It takes along all it has learned (not the steps that noise is counted by); and in float
    it only plays."""
    options: dict[str, Any] = {"actors": 2, "hidden": 3, "writes": writes}
    agent = SpikingActorCritic("CartPole-v1", "lif", "brian2", "loihi", 3, **options)
    agent.learn(2)
    agent.save(tmp_path / "agent.npz")
    saved, later = kept(agent), []
    agent.learn(4)
    for backend in ("brian2", "reference", "loihi"):
        moved = SpikingActorCritic.load(tmp_path / "agent.npz", backend, "loihi")
        same(kept(moved), saved)
        moved.learn(4)
        later.append(kept(moved))
        moved.close()
    same(later[0], kept(agent))
    same(later[1], later[2])
    with pytest.raises(UnsupportedError, match="coarse"):
        SpikingActorCritic.load(tmp_path / "agent.npz", "reference", "float")
    loaded, backend, arithmetic = load_to_play(tmp_path / "agent.npz", "reference", "float")
    played = evaluate(loaded, 2, backend=backend, arithmetic=arithmetic)
    assert played["arithmetic"] == "float"
    loaded, _, arithmetic = load_to_play(tmp_path / "agent.npz")
    again = SpikingActorCritic.load(tmp_path / "agent.npz")
    same_returns = [
        evaluate(a, 2, backend="reference", arithmetic="loihi")["mean_return"]
        for a in (loaded, again)
    ]
    assert arithmetic == "loihi"
    assert same_returns[0] == same_returns[1]
    agent.close()


def test_a_checkpoint_without_its_accumulators_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"actors": 2, "hidden": 3, "writes": "register"}
    agent = SpikingActorCritic("CartPole-v1", arithmetic="loihi", **options)
    agent.save(tmp_path / "agent.npz")
    described, arrays = read_agent(tmp_path / "agent.npz")
    whole = {name: a for name, a in arrays.items() if "accumulator" not in name}
    assert len(whole) < len(arrays)
    write_checkpoint(tmp_path / "agent.npz", described, whole)
    with pytest.raises(RunError, match="accumulator"):
        SpikingActorCritic.load(tmp_path / "agent.npz")


@pytest.mark.parametrize("writes", CHIP)
def test_a_run_is_extended(writes: str, tmp_path: Path) -> None:
    chip: dict[str, Any] = {"seed": 4, "arithmetic": "loihi"}
    chip["overrides"] = {"actors": 2, "hidden": 2, "writes": writes}
    train("neurorl/GridWorld-v0", tmp_path / "long", episodes=5, **chip)
    train("neurorl/GridWorld-v0", tmp_path / "short", episodes=2, **chip)
    train("neurorl/GridWorld-v0", tmp_path / "short", episodes=5, resume=True)
    arrays = [read_agent(tmp_path / name)[1] for name in ("short", "long")]
    assert arrays[0].keys() == arrays[1].keys()
    for name in set(arrays[0]) - {"episodes.wall_s"}:
        assert np.array_equal(arrays[0][name], arrays[1][name]), name
