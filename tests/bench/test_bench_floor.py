"""The benchmark's floor in C and the plain NumPy agent compute the same, and what was intended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.peers.numpy import NumpyAgent
from neurorl.bench import workload as w
from neurorl.bench.floor import VARIANTS, FloorAgent
from neurorl.bench.workload import SIZES, GaussianEncoder, Size, make_env

TINY = Size("tiny", 2, 1, 1)


def played(size: Size, replicas: int, n: int) -> list[tuple[Any, Any, Any]]:
    """Draw probabilities, rasters and modulators of *n* environment steps, some of them strong."""
    rng, encode = np.random.default_rng(3), GaussianEncoder(size, replicas)
    found = []
    for _ in range(n):
        p = encode(rng.uniform(-1, 1, (replicas, size.inputs // 8)) * 2).copy()
        raster = rng.random((replicas, w.STEPS, size.inputs)) < p[:, None]
        found.append((p, raster.astype(np.uint8), 50 * rng.normal(size=replicas)))
    return found


@pytest.mark.parametrize(("name", "replicas"), [("small", 1), ("small", 3), ("large", 1)])
def test_numpy_dense_and_block_agree(name: str, replicas: int) -> None:
    size = SIZES[name]
    agents: list[Any] = [NumpyAgent(size, replicas)]
    agents += [FloorAgent(size, replicas, variant) for variant in VARIANTS]
    total = 0
    for k, (p, raster, m) in enumerate(played(size, replicas, 60)):
        counts = [np.reshape(a.step(p, raster), (replicas, -1)).copy() for a in agents]
        for a, count in zip(agents, counts, strict=True):
            assert np.array_equal(count, counts[0]), k
            a.learn(m if replicas > 1 else float(m[0]))
            if k % 25 == 24:
                a.reset([replicas - 1])
        total += counts[0].sum()
    assert total > 20 * replicas
    plain = agents[0]
    assert abs(plain.hidden.w - w.initial_weights(size)[0]).max() > 0.01 * size.hidden_mean
    for a in agents[1:]:
        off = abs(a.w1.reshape(plain.hidden.w.shape) - plain.hidden.w) > 2e-7
        # One membrane in a million is so near the threshold that rounding decides.
        edges = np.unique(np.nonzero(off)[-1])
        assert len(edges) <= 2
        w2 = a.w2.swapaxes(1, 2).reshape(plain.output.w.shape)
        sure = np.setdiff1d(np.arange(size.hidden), edges)
        np.testing.assert_allclose(w2[..., sure, :], plain.output.w[..., sure, :], atol=2e-7)


def test_a_case_by_hand() -> None:
    """Input 0 spikes in step 0: the hidden neuron fires in step 1, the output in step 2."""
    raster = np.zeros((1, w.STEPS, 2), dtype=np.uint8)
    raster[0, 0, 0] = 1
    p = np.zeros((1, 2), dtype=np.float32)
    plain, dense, block = NumpyAgent(TINY), FloorAgent(TINY), FloorAgent(TINY, 1, "block")
    plain.hidden.w[:] = [[1.1], [0.3]]
    plain.output.w[:] = [[1.2]]
    for c in (dense, block):
        c.w1[0], c.w2[0] = plain.hidden.w, plain.output.w.T
    # Both layers: x = 1, y = 1, e = 1 - 0.5 when the spike arrives; the rest of the window decays.
    e1, e2 = 0.5 * w.ELIGIBILITY**18, 0.5 * w.ELIGIBILITY**17
    learned1 = 1.1 + w.RATE * TINY.hidden_mean * e1
    learned2 = 1.2 + w.RATE * TINY.output_mean * e2
    for agent in (plain, dense, block):
        assert agent.step(p, raster).ravel().tolist() == [1.0]
        agent.learn(1.0)
    for w1, w2 in [(plain.hidden.w, plain.output.w), *((c.w1[0], c.w2[0]) for c in (dense, block))]:
        assert w1[:, 0] == pytest.approx([learned1, 0.3], rel=1e-6)
        assert w2[0, 0] == pytest.approx(learned2, rel=1e-6)


@pytest.mark.parametrize("make", [NumpyAgent, FloorAgent, lambda s: FloorAgent(s, 1, "block")])
def test_spikes_in_flight_go_on_and_end_with_the_episode(make: Any) -> None:
    silence = np.zeros((1, w.STEPS, 2), dtype=np.uint8)
    last = silence.copy()
    last[0, -1, 1] = 1
    p = np.zeros((1, 2), dtype=np.float32)
    for reset, expected in ((False, 1.0), (True, 0.0)):
        agent = make(TINY)
        w1, w2 = (agent.hidden.w, agent.output.w) if make is NumpyAgent else (agent.w1, agent.w2)
        w1[:], w2[:] = 1.5, 1.5
        assert agent.step(p, last).sum() == 0
        if reset:
            agent.reset()
        assert agent.step(p, silence).sum() == expected


def test_draws_have_their_probability() -> None:
    """With one synapse of weight 2 in each layer, the output fires for every input spike."""
    one = Size("one", 1, 1, 1)
    for variant in VARIANTS:
        agent = FloorAgent(one, 2, variant)
        agent.w1[:], agent.w2[:] = 2.0, 2.0
        p = np.array([[0.1], [0.9]], dtype=np.float32)
        total = sum(agent.step(p).copy() for _ in range(2000))
        assert np.ravel(total) / (2000 * w.STEPS) == pytest.approx([0.1, 0.9], abs=0.01)


def test_encoder_and_environments() -> None:
    p = GaussianEncoder(SIZES["small"])([0.0, 9.0, -0.21, 3.0])
    assert p.shape == (1, 32)
    channels = p.reshape(4, 8)
    assert channels[1, -1] == channels[3, -1] == channels[2, 0] == np.float32(0.1)
    assert channels[0, 3] == pytest.approx(0.1 * np.exp(-0.5 * 0.5**2))
    falling = make_env(SIZES["small"])
    falling.reset(seed=0)
    rewards = []
    terminated = False
    while not terminated:
        _, reward, terminated, _, _ = falling.step(0)
        rewards.append(reward)
    assert rewards == [1.0] * (len(rewards) - 1) + [-1.0]
    waves = make_env(SIZES["large"])
    waves.reset(seed=1)
    outcome = [waves.step(1)[1:4] for _ in range(200)]
    assert [k for k, (r, _, _) in enumerate(outcome, 1) if r] == list(range(20, 40))
    assert [o[2] for o in outcome] == [False] * 199 + [True]
