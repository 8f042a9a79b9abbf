"""Test the module in chip integers: the chip's spikes, and gradients past its rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chip_features import CHIP_FEATURES

from neurorl.backends.registry import load
from neurorl.errors import ArgumentError
from neurorl.models import GLM, LIF, CubaLIF, actor_network
from neurorl.native import toolchain
from neurorl.network.description import Network, Neuron, Plasticity, Population, Projection, Source
from neurorl.numerics.random import LOGISTIC_TABLE, logistic, words
from neurorl.testing import FEATURES, random_network, rasters

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl.arithmetic.quantiser import bias_integers as exact_bias_integers  # noqa: E402
from neurorl.backends.torch import Score, Slope, SpikingModule  # noqa: E402
from neurorl.backends.torch.expressions import bias_integers, truncated  # noqa: E402
from neurorl.backends.torch.inputs import draw_words  # noqa: E402
from neurorl.backends.torch.node import TensorNode  # noqa: E402

torch.set_num_threads(1)  # others test beside us

SEED = 5
compiled = pytest.mark.skipif(
    toolchain.problem() is not None, reason="no C++ compiler: there is only the engine 'eager'"
)
NEURONS = [
    pytest.param(CubaLIF(2e-3, 5e-3, 0.5, 0.0, 0.3), id="currents"),
    pytest.param(CubaLIF(2e-3, 5e-3, 0.5, 0.0, 0.3, refractory=3e-3), id="dead steps"),
    pytest.param(LIF(0.0, 0.5, 0.1, 0.3, refractory=1e-3), id="no membrane"),
    pytest.param(GLM(), id="no memory"),
]
NAMES = [*(name for name in CHIP_FEATURES if name != "more neurons than a core"), *range(8)]


def made(name: str | int) -> Network:
    """Return the network of a feature, or the random one of a seed."""
    if isinstance(name, str):
        return FEATURES[name]()
    return random_network(name, delays=True, currents=name % 2 == 1)


@pytest.mark.parametrize("name", NAMES)
def test_spikes_are_those_of_the_reference(name: str | int) -> None:
    """The module makes the biases itself of its weights, and of currents."""
    network = made(name)
    module = SpikingModule(network, seed=SEED, arithmetic="loihi")
    x = rasters(network, 15, 0, 0.4)
    draws = {
        p.name: logistic(words(SEED, network.index(p.name), p.size, 0, 15))[:, None]
        for p in network.populations
    }
    given = {k: v[None] if v.ndim == 1 else v[:, None] for k, v in x.items()}
    seen, state = module(given, noise=draws, n_steps=15)
    with load("reference", network, arithmetic="loihi", seed=SEED) as reference:
        expected = reference.step(x, 15)
        left = reference.state()
        for p in network.projections:
            assert np.array_equal(module.weights(p.name), reference.weights(p.name))
    for population, raster in expected.items():
        assert np.array_equal(seen[population][:, 0].detach().numpy() > 0, raster)
        v = state.cells[population].variables["v"][0, 0].detach().numpy()
        assert np.array_equal(v, left[f"{population}.voltage"])


@compiled
@pytest.mark.parametrize("neuron", NEURONS)
def test_engines_agree_beyond_every_range(neuron: Neuron) -> None:
    """Currents that overflow and voltages that are cut off agree in every bit."""
    nodes = (Source("input", 1), Population("cells", 5, neuron))
    drive = Projection("drive", "input", "cells", 0.1, plasticity=Plasticity())
    network = Network(nodes, (drive,))
    generator = torch.Generator().manual_seed(0)
    shape = (2, 12, 3, 5)  # replicas, steps, batch, size
    scale = 2.0 ** torch.randint(10, 25, shape, generator=generator)
    q = (torch.randn(shape, generator=generator, dtype=torch.float64) * scale).round()
    bias = torch.randint(-(10**6), 10**6, (5,), generator=generator).double()
    noise = draw_words(shape, generator, torch.device("cpu"))

    def run(engine: str) -> list[Any]:
        module = SpikingModule(network, seed=(0, 1), arithmetic="loihi", engine=engine)
        cells = module.cells["cells"]
        assert isinstance(cells, TensorNode)
        spikes, _, first = cells.run({"q": q}, bias, cells.rest(2, 3), noise, Score())
        more, _, left = cells.run({"q": q}, bias, first, noise, Score())
        return [spikes, more, *left.variables.values(), left.blocked]

    for mine, theirs in zip(run("compiled"), run("eager"), strict=True):
        assert torch.equal(mine, theirs)


def test_learning_past_the_rounding() -> None:
    """Gradients go the way of those in float arithmetic, and float weights learn in full."""
    network = actor_network(
        12, 2, neuron=CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5), actors=4, hidden=8
    )
    rng = np.random.default_rng(0)
    x = {s.name: rng.random((10, 64, s.size)) < 0.4 for s in network.sources}
    draws = {p.name: rng.choice(LOGISTIC_TABLE, (10, 64, p.size)) for p in network.populations}
    found = []
    for arithmetic in ("float", "loihi"):
        module = SpikingModule(
            network, seed=1, arithmetic=arithmetic, dtype=torch.float64, estimator=Slope()
        )
        seen, _ = module(x, noise=draws)
        seen["output"].sum().backward()
        learned = {k: p.grad for k, p in module.named_parameters() if p.grad is not None}
        assert len(learned) == len(list(module.parameters()))
        found.append(learned)
    for k, gradient in found[0].items():
        cosine = (gradient * found[1][k]).sum() / (gradient.norm() * found[1][k].norm())
        assert float(cosine) > 0.95, k
        assert 0.8 < float(found[1][k].norm() / gradient.norm()) < 1.25, k
    weight = module.weight("input_hidden")
    with torch.no_grad():
        weight.add_(1e-5)
    assert np.abs(weight[0].detach().numpy() - module.weights("input_hidden")).max() > 1e-6
    module.set_weights("input_hidden", np.full(module.weights("input_hidden").shape, 3.0))
    assert module.weights("input_hidden").max() == pytest.approx(1.0)


@pytest.mark.parametrize("spikes", [False, True])
def test_probabilities_are_those_of_rounded_draws(spikes: bool) -> None:
    neuron = CubaLIF(0.0, 5e-3, 0.5, 0.1, 0.3)
    network = Network(
        (Source("input", 1), Population("cell", 1, neuron)),
        (Projection("drive", "input", "cell", 0.4, plasticity=Plasticity()),),
    )
    module = SpikingModule(network, arithmetic="loihi")
    x = {"input": torch.ones(1, 1, 1)}
    with torch.no_grad():
        p = float(module.probabilities(x, {"cell": torch.zeros(1, 1, 1)})["cell"])
    edge = float(-np.log(p / (1 - p)))
    draw = torch.full((1, 1, 1), edge + (1e-9 if spikes else -1e-9), dtype=torch.float64)
    seen, _ = module(x, noise={"cell": draw})
    assert bool(seen["cell"]) is spikes


def test_rounding() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-s, s, 300) for s in (10, 5e3, 6e5)]).round()
    found = bias_integers(torch.from_numpy(values)).numpy()
    assert np.array_equal(found, exact_bias_integers(values))
    x = torch.tensor([1.7, -1.7], dtype=torch.float64, requires_grad=True)
    y = truncated(x)
    assert y.tolist() == [1.0, -1.0]
    torch.autograd.backward(y.sum())
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0]


def test_the_chips_integers_need_float64() -> None:
    options: dict[str, Any] = {"arithmetic": "loihi", "dtype": torch.float32}
    with pytest.raises(ArgumentError, match="kept in float64"):
        SpikingModule(FEATURES["LIF"](), **options)
