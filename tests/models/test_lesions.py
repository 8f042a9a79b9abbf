"""Test dead neurons: by hand, and what is left of a network on every backend."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.backends.registry import load
from neurorl.errors import DescriptionError
from neurorl.models import COBA_LIF, GLM, LIF, CubaLIF, Lesion, actor_network
from neurorl.models.defaults.presets import make_config
from neurorl.models.neurons.lesions import lesioned
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import FloatArray

NOISY = CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.2, 0.5)
BACKENDS = [
    *(("reference", "float"), ("reference", "loihi"), ("native", "float")),
    *(("native", "loihi"), ("loihi", "loihi"), ("torch", "float")),
]


def actor(neuron: Any = NOISY, **options: Any) -> Network:
    return actor_network(5, 2, neuron=neuron, actors=2, hidden=4, **options)


def dead_of(network: Network, name: str = "hidden") -> tuple[int, ...]:
    population = network.node(name)
    assert isinstance(population, Population)
    assert isinstance(population.neuron, Lesion)
    return population.neuron.silent


def test_silent_neurons_by_hand() -> None:
    dynamics = Lesion(CubaLIF(threshold=0.5, bias=0.3, noise=0.5), (1,)).integrator(3, 1e-3)
    assert dynamics.threshold.tolist() == [0.5, 6.0, 0.5]  # 12 x 0.5
    assert dynamics.bias.tolist() == [0.3, 0.0, 0.3]
    assert Lesion(LIF(threshold=7.0), (0,)).integrator(2, 1e-3).threshold.tolist() == [7.0, 7.0]
    assert Lesion(LIF(threshold=0.0), (0,)).integrator(2, 1e-3).threshold.tolist() == [1.0, 0.0]
    with pytest.raises(DescriptionError, match="no such neuron"):
        Population("cells", 3, Lesion(LIF(), (3,)))


def test_synapses_of_the_dead_by_hand() -> None:
    """Two blocks of 2 x 1 have a dead neuron 1 and lack a synapse of neuron 2 anyhow."""
    plastic = Plasticity()
    network = Network(
        (Source("input", 3), Population("hidden", 4, LIF()), Population("output", 2, LIF())),
        (
            Projection("up", "input", "hidden", 0.5, plasticity=plastic),
            Projection("on", "hidden", "output", 0.5, 2, [[[1], [1]], [[0], [1]]]),
        ),
    )
    seed = next(s for s in range(20) if dead_of(lesioned(network, 0.25, s)) == (1,))
    found = lesioned(network, 0.25, seed)
    np.testing.assert_array_equal(found.projection("up").mask, [[True, False, True, True]] * 3)
    np.testing.assert_array_equal(
        found.projection("on").mask, [[[True], [False]], [[False], [True]]]
    )
    assert Network.from_dict(found.to_dict()) == found
    assert lesioned(network, 0.0) == network


def test_a_larger_share_has_the_smaller_one() -> None:
    found = [set(dead_of(lesioned(actor(), share, 3))) for share in (0.25, 0.5, 1.0)]
    assert [len(dead) for dead in found] == [4, 8, 16]
    assert found[0] < found[1] < found[2]
    assert dead_of(lesioned(actor(), 0.5, 4)) != dead_of(lesioned(actor(), 0.5, 5))
    both = lesioned(actor(), 0.5, populations=("hidden", "output"))
    assert len(dead_of(both, "output")) == 2
    with pytest.raises(DescriptionError, match="no hidden neurons"):
        lesioned(actor_network(5, 2, neuron=NOISY, hidden=0), 0.5)
    with pytest.raises(DescriptionError, match="lesioned share"):
        lesioned(actor(), 1.5)


def run(
    network: Network, backend: str, arithmetic: str, weights: dict[str, FloatArray] | None = None
) -> dict[str, Any]:
    if backend == "torch":
        pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    spikes = np.random.default_rng(0).random((40, 5)) < 0.5
    inputs = {"input": spikes, "bias": np.ones((40, 1), dtype=bool)}
    with load(backend, network, seed=5, arithmetic=arithmetic) as compiled:
        for name, w in (weights or {}).items():
            compiled.set_weights(name, w)
        return {name: raster.copy() for name, raster in compiled.step(inputs, 40).items()}


@pytest.mark.parametrize(("backend", "arithmetic"), BACKENDS)
def test_the_dead_are_silent_and_the_rest_is_as_without_them(backend: str, arithmetic: str) -> None:
    network = actor()
    found = lesioned(network, 0.5, 1)
    dead = list(dead_of(found))
    # All weights are written, as after learning: a mask must keep those of the dead away.
    weights = {p.name: initial_weights(network, p.name, 5) for p in network.projections}
    rasters = run(found, backend, arithmetic, weights)
    assert not rasters["hidden"][:, dead].any()
    alone = dict(weights)
    alone["hidden_output"] = weights["hidden_output"].copy()
    alone["hidden_output"].reshape(-1)[dead] = 0.0  # a module's output has one row for each
    whole = run(network, backend, arithmetic, alone)
    assert whole["hidden"][:, dead].any()
    np.testing.assert_array_equal(rasters["output"], whole["output"])
    others = np.setdiff1d(np.arange(16), dead)
    np.testing.assert_array_equal(rasters["hidden"][:, others], whole["hidden"][:, others])


@pytest.mark.parametrize("backend", ["reference", "native", "torch"])
def test_dead_neurons_by_equations_never_spike(backend: str) -> None:
    """Without input, a noisy neuron spikes by itself; a dead one doesn't, and the rest is equal."""
    if backend == "torch":
        pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    neuron = dataclasses.replace(COBA_LIF, noise=5.0)
    cells = Population("cells", 6, neuron)
    drive = Projection("drive", "input", "cells", 0.3, target="ge")
    network = Network((Source("input", 5), cells), (drive,))
    dead = lesioned(network, 0.5, populations=("cells",))
    assert Network.from_dict(dead.to_dict()) == dead
    numbers = list(dead_of(dead, "cells"))
    spikes = {"input": np.random.default_rng(0).random((60, 5)) < 0.5}
    rasters = []
    for one in (network, dead):
        with load(backend, one, seed=2) as compiled:
            rasters.append(compiled.step(spikes, 60)["cells"].copy())
    assert rasters[0][:, numbers].any()
    assert not rasters[1][:, numbers].any()
    others = np.setdiff1d(np.arange(6), numbers)
    np.testing.assert_array_equal(rasters[1][:, others], rasters[0][:, others])
    twice = Lesion(Lesion(neuron, (0,)), (2,))
    plan = twice.plan(6, 1e-3)
    assert plan.constants["is_silent"].tolist() == [1, 0, 1, 0, 0, 0]
    assert twice.inputs == ("ge", "gi")


def test_a_dead_signed_unit_says_nothing_at_all() -> None:
    network = actor(GLM(), signed=True, initial_output=4.0, bound=4.0)
    all_dead = lesioned(network, 1.0)
    none = {"hidden_output": np.zeros(network.weight_shape("hidden_output"))}
    rasters, silent = run(all_dead, "reference", "float"), run(network, "reference", "float", none)
    np.testing.assert_array_equal(rasters["output"], silent["output"])
    alive = run(network, "reference", "float")
    assert (rasters["output"] != alive["output"]).any()


@pytest.mark.parametrize(("backend", "arithmetic"), [("reference", "loihi"), ("native", "float")])
def test_learning_revives_nobody(backend: str, arithmetic: str) -> None:
    config = make_config(SpikingActorCritic("CartPole-v1").env, overrides={"actors": 1})
    network = lesioned(config.network(2), 0.5)
    agent = SpikingActorCritic(*("CartPole-v1", "lif", backend, arithmetic), description=network)
    agent.learn(total_episodes=5)
    dead, weights = list(dead_of(network)), agent.memory.in_force
    assert not weights["input_hidden"][:, dead].any()
    assert not weights["hidden_output"].reshape(-1)[dead].any()
    assert weights["hidden_output"].any()
    agent.close()
