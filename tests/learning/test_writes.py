"""Test writing into 8-bit weights: each scheme by hand, and on average."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorl import Network, Plasticity, Population, Projection
from neurorl.arithmetic.rounding import Rounding, make_arithmetic
from neurorl.learning.memory import Memory, memory_for
from neurorl.learning.plan import LearningPlan, Plastic
from neurorl.learning.writes import Writer, levels, stochastic_round
from neurorl.models import LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.writes import WRITES, overflow
from neurorl.models.features import OneHot
from neurorl.network.description import Source
from neurorl.numerics.random import Stream, uniforms

CHIP = ("stochastic", "accumulate", "register")
SEED = 11


class Bench:
    """Return a projection of *n* inputs to 2 outputs with weights 0, and a writer for it."""

    def __init__(self, writes: str, n: int = 2, mask: Any = None, seed: int = SEED) -> None:
        cell = LIF(tau_mem=5e-3, threshold=0.5, noise=0.4)
        plastic = Plasticity(trace_tau=5e-3, low=-0.25, high=1.0)
        network = Network(
            (Source("input", n), Population("output", 2, cell)),
            (Projection("a", "input", "output", 0.0, mask=mask, plasticity=plastic),),
        )
        cells = OneHot(n)
        config = AgentConfig(
            *("own", LIF(), "spikes-only", cells, cells, 4),
            description=network,
            writes=WRITES[writes](),
        )
        arithmetic = make_arithmetic("loihi", network)
        weights = {"a": np.zeros((1, n, 2))}
        plan = LearningPlan(network, config)
        self.memory: Memory = memory_for(plan, weights).of(0)
        self.p: Plastic = plan.layers[0].into[0]
        self.rounding: Rounding = arithmetic.rounding("a")
        self._writer = Writer(plan, arithmetic, self.memory, seed)

    def decide(self, quanta: Any) -> None:
        """Return a decision whose dw is so many quanta."""
        self.memory.decisions[0] += 1
        self.write(quanta)

    def write(self, quanta: Any, ends: bool = False) -> None:
        change = np.broadcast_to(np.asarray(quanta, dtype=float), self.memory.weights["a"].shape)
        self._writer.write(self.p, change * self.rounding.unit, ends)

    @property
    def n(self) -> Any:
        """Return the weights in quanta."""
        return np.rint(self.memory.weights["a"] * self.rounding.inverse)

    def draws(self, decision: int, stream: int = Stream.WRITES) -> Any:
        """Return what the synapses draw in a decision."""
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
    """The sum of 15 decisions waits; the 16th writes it."""
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
    """Whole quanta leave a sum of 1/64 quantum steps towards zero; the remainder stays."""
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
    """Weights of -0.25 to 1 are -32 to 127 quanta of 1/127: the nearest, as for a shadow."""
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
    """The mean weight of 2,000 synapses after 192 decisions of x quanta is 192 x, within 5 s.d."""
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
