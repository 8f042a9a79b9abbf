"""The size deep: its floor in C does the same work as the agents that are measured beside it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from neurorl.agents.replicas import Replicas
from neurorl.bench import candidates as c
from neurorl.bench.command import Plan
from neurorl.bench.floor import DeepAgent
from neurorl.bench.workload import DEEP, DENSE, Bricks
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.groups import SeparateEnvs


def test_images_are_like_those_of_breakout() -> None:
    env = Bricks()
    images = [env.reset()[0], *(env.step(0)[0] for _ in range(500))]
    assert all(image in env.observation_space for image in images)
    assert {int(image.sum()) for image in images} <= {32, 33}
    changes = [int((a != b).sum()) for a, b in itertools.pairwise(images)]
    assert np.median(changes) == 6  # three bits go elsewhere


def test_floor_and_library_learn_the_same() -> None:
    env = Bricks()
    config = make_config(env, "deep", DENSE)
    agents = Replicas(SeparateEnvs([env]), config, 3, [0], backend="reference", loop="numpy")
    loop: Any = agents.loop
    weights, lasting = loop.memory.weights, loop.memory.lasting
    floor = DeepAgent(DEEP)
    halves = [("hidden", "output"), ("critic_hidden", "critic")]
    for half, (hidden, readout) in enumerate(halves):
        floor.w[0, half, :-1] = weights[f"input_{hidden}"][0]
        back = lasting[f"{hidden}_{readout}.feedback"][0].T
        floor.feedback[0, half] = 0.0
        floor.feedback[0, half, : len(back), : DEEP.hidden] = back
    before = floor.w.copy()
    observation, _ = env.reset()
    loop.active[:], loop.rate[:] = True, 1.0
    loop.see_first(0, observation)
    loop.begin(0)
    for t in range(60):
        u = loop._draws[0](int(loop.memory.decisions[0, 0])).astype(np.float32)
        floor.images[:] = observation.ravel()
        assert floor.step(u)[0] == loop.decide()[0], t
        observation, reward, *_ = env.step(0)
        loop.see(0, observation)
        loop.reward[0], loop.discount[0], floor.rewards[0] = reward, config.gamma, reward
        if t == 59:
            loop.discount[0] = 0.0
            floor.end(0, True)
        loop.learn()
    assert np.abs(floor.w - before).max() > 1e-3
    for half, (hidden, readout) in enumerate(halves):
        of_readout = weights[f"{hidden}_{readout}"][0].T
        found = floor.readout[0, half, : len(of_readout), : DEEP.hidden]
        pairs = [(floor.w[0, half, :-1], weights[f"input_{hidden}"][0]), (found, of_readout)]
        pairs.append((floor.w[0, half, -1:], weights[f"bias_{hidden}"][0]))
        for floors, ours in pairs:
            # A step is of one size whatever its signal's, so that rounding decides the sign of few.
            assert np.quantile(np.abs(floors - ours), 0.99) < 2e-6
    agents.close()


def test_the_size_has_one_floor_and_no_peers() -> None:
    native = c.backends(["native"])[0]
    peer = c.Candidate(native.spec, "x.y")
    plan = Plan([native, peer], (DEEP.name,))
    assert [case[2] for case in plan.cases] == [c.FLOOR, native]
    for replicas in (1, 2):
        for candidate in (c.FLOOR, native):
            loop = c.make_loop(candidate, DEEP, replicas)
            assert [loop.step() for _ in range(600)] == [replicas] * 600
            loop.close()
