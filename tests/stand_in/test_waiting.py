"""A chip's reset waits for silence; agents play on it, and what they can't do is refused first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nxsdk.arch.n2a.n2board import N2Board
from simulators import loihi_of

from neurorl import SpikingActorCritic
from neurorl.backends.registry import load
from neurorl.errors import UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters

GRID = "neurorl/GridWorld-v0"
QUIET = CubaLIF(tau_syn=1.44e-3, tau_mem=4.48e-3, threshold=0.5, refractory=4e-3)


def learning() -> Network:
    cells = Population("cells", 5, LIF(5e-3, 0.4))
    last = Population("last", 3, LIF(7e-3, 0.3))
    learned = Plasticity()
    return Network(
        (Source("input", 6), cells, last),
        (
            Projection("first", "input", "cells", Uniform(-0.2, 0.5)),
            Projection("second", "cells", "last", Uniform(-0.2, 0.9), plasticity=learned),
        ),
    )


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (FEATURES["refractory period"](), {}),
        (FEATURES["delays of several steps"](), {}),
        (FEATURES["sparse projection (mask)"](), {}),
        (learning(), {"learning": "pes"}),
    ],
    ids=["refractory", "delays", "mask", "learning"],
)
def test_after_a_reset_it_goes_on_as_from_rest(network: Network, options: Any) -> None:
    network = without_noise(network)
    with (
        load("reference", network, arithmetic="loihi") as reference,
        load("loihi", network, **options) as chip,
    ):
        assert loihi_of(chip).target == "loihi"
        chip.reset()
        before = len(N2Board.last.runs)
        total = 0
        for k in range(4):
            inputs = rasters(network, 9, k, 0.8)
            expected, seen = reference.step(inputs, 9), chip.step(inputs, 9)
            for name, raster in expected.items():
                assert np.array_equal(seen[name], raster), (k, name)
                total += int(raster.sum())
            reference.reset()
            chip.reset()
            chip.reset()  # nothing is left to wait for
            assert chip.t == reference.t
        assert total > 20
        waits = N2Board.last.runs[before:][1::2]
        assert len(waits) == 4
        assert len(set(waits)) == 1
        assert waits[0] % 4 == 0
        cores = N2Board.last._cores.values()
        assert not any(core.u.any() or core.v.any() or core.dead.any() for core in cores)


def without_noise(network: Network) -> Network:
    nodes = tuple(
        Population(n.name, n.size, type(n.neuron)(**{**vars(n.neuron), "noise": 0.0}))
        if isinstance(n, Population)
        else n
        for n in network.nodes
    )
    return Network(nodes, network.projections, network.dt)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("which", ["several layers", "one that leaks only"])
def test_the_wait_is_long_enough_for_any_state(which: str, sign: int) -> None:
    """The wait is from the largest current and membrane that registers hold; half isn't enough."""
    network = cells(LIF(20e-3, 0.4))
    if which == "several layers":
        network = without_noise(FEATURES["refractory period"]())
    with load("loihi", network) as chip:
        chip.step({}, 1)
        running = N2Board.last._cores.values()
        for core in running:
            core.u[:] = core.v[:] = sign * (2**23 - 1)
            # A dead step would clear the membrane that is to be waited for.
            core.dead[:] = core.refractory if which == "several layers" else 0
        waits: list[bool] = []
        board_run = N2Board.last.run

        def half_and_half(steps: int, aSync: bool = False) -> None:
            for part in (steps // 2, steps - steps // 2):
                board_run(part)
                waits.append(any(core.v.any() for core in running))

        N2Board.last.run = half_and_half  # type: ignore[method-assign]
        chip.reset()
        assert not any(core.u.any() or core.v.any() or core.dead.any() for core in running)
        if (which, sign) == ("one that leaks only", -1):  # a positive membrane spikes
            assert waits == [True, False]


def cells(neuron: Any, *more: Projection) -> Network:
    drive = Projection("drive", "input", "cells", 0.5)
    return Network((Source("input", 2), Population("cells", 2, neuron)), (drive, *more))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (cells(QUIET, Projection("own", "cells", "cells", 0.1)), "in a loop of 'cells'"),
        (cells(LIF(tau_mem=1e3)), "the membrane of 'cells' doesn't leak"),
        (cells(LIF(bias=0.05)), "a bias drives 'cells'"),
        (cells(LIF(tau_mem=2.0)), "it would take [0-9]+ steps"),
    ],
)
def test_what_never_falls_silent_is_not_reset(network: Network, words: str) -> None:
    with load("loihi", network) as chip:
        with pytest.raises(UnsupportedError, match=f"reset can't work on a .*{words}"):
            chip.check_can("reset")
        with pytest.raises(UnsupportedError, match=words):
            chip.reset()
        assert not N2Board.last.runs


def test_an_agent_plays_on_a_chip(tmp_path: Path) -> None:
    """The agent's weights are compiled in; its decisions are those of the emulator."""
    agent = SpikingActorCritic(GRID, neuron=QUIET, rule="spikes-only-hebbian", seed=2)
    agent.learn(total_episodes=2)
    moves = []
    for target in ("loihi", "emulator"):
        # A player of another backend takes no options, so the agent is loaded on it.
        agent._backend_options, agent.backend_name = {"target": target}, "loihi"
        player = agent.player(5, "loihi", "loihi")
        assert loihi_of(player.backend).target == target
        with player.backend:
            player.begin()
            seen = [player.move(place) for place in (1, 17, 55, 80, 3)]
            moves.append(([m.action for m in seen], player.backend.weights("hidden_output")))
        if target == "loihi":
            assert len(N2Board.last.runs) == 9  # five windows, and a wait before all but the first
    (actions, weights), (others, same) = moves
    assert actions == others
    assert np.array_equal(weights, same)


def test_learning_on_the_host_is_refused_before_the_run() -> None:
    options = {"target": "loihi"}
    with pytest.raises(UnsupportedError, match=r"set_weights can't work.*learning='pes'"):
        SpikingActorCritic(GRID, backend="loihi", neuron=QUIET, backend_options=options)
    assert not N2Board.last.runs
    assert not N2Board.last.started
