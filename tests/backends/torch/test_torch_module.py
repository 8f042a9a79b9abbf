"""Test the network as a PyTorch module: spikes, gradients through time, batches, replicas."""

from __future__ import annotations

import dataclasses
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnknownNameError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF, Equations, actor_network
from neurorl.native import toolchain
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.numerics.random import LOGISTIC_TABLE
from neurorl.testing import FEATURES, random_network

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl.backends.torch import (  # noqa: E402
    Concrete,
    Estimator,
    Score,
    Slope,
    SpikingModule,
    TorchSimulator,
    estimator,
)
from neurorl.backends.torch.inputs import draw_words, logistic  # noqa: E402
from neurorl.backends.torch.unroll import groups  # noqa: E402

torch.set_num_threads(1)  # others test beside us

SEEDS = (3, 2**62 + 5, 3)
BATCH = 4
DOUBLE: dict[str, Any] = {"dtype": torch.float64}


def inputs(network: Network, n_steps: int, seed: int, *lead: int) -> dict[str, Any]:
    """Return rasters ``(n_steps, *lead, size)`` and activations ``(*lead, size)``."""
    rng = np.random.default_rng(seed)
    return {
        s.name: rng.integers(0, 257, (*lead, s.size)) / 256
        if s.kind == "current"
        else rng.random((n_steps, *lead, s.size)) < 0.4
        for s in network.sources
    }


def noise(network: Network, n_steps: int, seed: int, *lead: int) -> dict[str, Any]:
    """Draw logistic numbers for every population."""
    rng = np.random.default_rng(seed)
    return {
        p.name: rng.choice(LOGISTIC_TABLE, (n_steps, *lead, p.size)) for p in network.populations
    }


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def all_plastic(network: Network) -> Network:
    """Return the same network with all weights plastic."""
    projections = tuple(
        dataclasses.replace(p, plasticity=p.plasticity or Plasticity()) for p in network.projections
    )
    return dataclasses.replace(network, projections=projections)


def networks() -> list[Any]:
    made = [
        pytest.param(make, id=name)
        for name, make in FEATURES.items()
        if not any(word in name for word in ("core", "short-term", "values", "gap"))
    ]
    made += [
        pytest.param(lambda s=s: random_network(s, delays=True, currents=s % 2 == 1), id=f"{s}")
        for s in range(8)
    ]
    return made


@pytest.mark.parametrize("make", networks())
def test_every_part_of_a_batch_is_one_alone(make: Callable[[], Network]) -> None:
    """Replicas and environments each have the spikes and state of one alone."""
    network = make()
    x, draws = inputs(network, 9, 0, 3, BATCH), noise(network, 9, 1, 3, BATCH)
    whole = SpikingModule(network, seed=SEEDS, **DOUBLE)
    rasters, state = whole(x, noise=draws, n_steps=9)
    assert all(r.shape == (9, 3, BATCH, network.node(k).size) for k, r in rasters.items())
    for k, seed in enumerate(SEEDS):
        alone = SpikingModule(network, seed=seed, **DOUBLE)
        mine = {name: value[..., k, :, :] for name, value in x.items()}
        draw = {name: value[:, k] for name, value in draws.items()}
        parts, left = alone(mine, noise=draw, n_steps=9)
        assert same(parts, {name: raster[:, k] for name, raster in rasters.items()})
        for name, cells in left.cells.items():
            for variable, value in cells.variables.items():
                assert torch.equal(value[0], state.cells[name].variables[variable][k])
        one = {name: value[..., 2:3, :] for name, value in mine.items()}
        draw = {name: value[:, 2:3] for name, value in draw.items()}
        parts, _ = alone(one, noise=draw, n_steps=9)
        assert same(parts, {name: raster[:, k, 2:3] for name, raster in rasters.items()})


compiled = pytest.mark.skipif(
    toolchain.problem() is not None, reason="no C++ compiler: there is only the engine 'eager'"
)
ENGINES = [pytest.param("compiled", marks=compiled), "eager"]


@compiled
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("make", [*networks(), FEATURES["short-term plasticity"]])
def test_engines_agree(make: Callable[[], Network], dtype: Any) -> None:
    """Every spike and state variable is equal, without gradients and with them."""
    network = make()
    x, draws = inputs(network, 9, 0, 3, BATCH), noise(network, 9, 1, 3, BATCH)

    def run(engine: str) -> dict[str, Any]:
        module = SpikingModule(network, seed=SEEDS, engine=engine, dtype=dtype)
        first, state = module(x, noise=draws, n_steps=9)
        second, state = module(x, state, noise=draws, n_steps=9)
        made = {f"{k}.{n}": r for n, rs in enumerate((first, second)) for k, r in rs.items()}
        made |= {f"{k}.{x}": v for k, c in state.cells.items() for x, v in c.variables.items()}
        return made | {f"{k}.dead": c.blocked for k, c in state.cells.items()}

    with torch.no_grad():
        found, expected = run("compiled"), run("eager")
    assert same(found, expected)
    assert same(found, run("compiled"))


@pytest.mark.parametrize("make", networks())
def test_whole_windows_are_steps_in_order(make: Callable[[], Network]) -> None:
    """Layers run for the whole window one by one, or all populations together step by step."""
    network = all_plastic(make())
    x, draws = inputs(network, 8, 0, BATCH), noise(network, 8, 1, BATCH)
    found = []
    for order in (groups(network), [tuple(p.name for p in network.populations)]):
        module = SpikingModule(network, seed=1, estimator=Concrete(hard=False), **DOUBLE)
        module._groups = order
        rasters, state = module(x, noise=draws, n_steps=8)
        loss = sum((r**2).sum() for r in rasters.values())
        values = [v for c in state.cells.values() for v in c.variables.values()]
        loss = loss + sum((v**2).sum() for v in values)
        loss.backward()
        found.append((rasters, {k: p.grad for k, p in module.named_parameters()}))
    for k, raster in found[0][0].items():
        torch.testing.assert_close(raster, found[1][0][k])
    for k, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][k])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", networks())
def test_gradients_through_time_are_those_of_the_relaxed_network(
    make: Callable[[], Network], engine: str
) -> None:
    """The gradient in a random direction is a central difference; two windows, one state."""
    network = all_plastic(make())
    x, draws = inputs(network, 10, 0, BATCH), noise(network, 10, 1, BATCH)
    relaxed = Concrete(2.0, hard=False)
    module = SpikingModule(
        network, seed=1, estimator=relaxed, surrogate_width=0.6, engine=engine, **DOUBLE
    )

    def loss() -> Any:
        def part(d: dict[str, Any], steps: slice) -> dict[str, Any]:
            return {k: v if k in network.currents else v[steps] for k, v in d.items()}

        first, state = module(part(x, slice(6)), n_steps=6, noise=part(draws, slice(6)))
        second, _ = module(part(x, slice(6, 10)), state, noise=part(draws, slice(6, 10)), n_steps=4)
        rng = torch.Generator().manual_seed(2)
        return sum(
            (torch.randn(r.shape, generator=rng, dtype=r.dtype) * r).sum()
            for r in (*first.values(), *second.values())
        )

    loss().backward()
    rng = torch.Generator().manual_seed(3)
    steps = {
        k: torch.randn(p.shape, generator=rng, dtype=p.dtype) for k, p in module.named_parameters()
    }
    expected = float(sum((p.grad * steps[k]).sum() for k, p in module.named_parameters()))
    values = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for k, p in module.named_parameters():
                p.add_(steps[k], alpha=sign * 1e-6)
            values.append(float(loss()))
            for k, p in module.named_parameters():
                p.sub_(steps[k], alpha=sign * 1e-6)
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected, rel=1e-5, abs=1e-6)


def late(delay: float) -> Callable[[], Network]:
    """Return a recurrent network whose spikes take longer to come back."""

    def make() -> Network:
        network = FEATURES["recurrent projection"]()
        projections = tuple(
            dataclasses.replace(p, delay=delay) if p.pre == p.post else p
            for p in network.projections
        )
        assert projections != network.projections
        return dataclasses.replace(network, projections=projections)

    return make


TAKEN_APART = [
    *(
        pytest.param(FEATURES[name], id=name)
        for name in ("LIF", "refractory period", "recurrent projection")
    ),
    *(pytest.param(late(d * 1e-3), id=f"coming back after {d} steps") for d in (7, 9, 12)),
]


@pytest.mark.parametrize("make", TAKEN_APART)
def test_two_windows_are_one_of_both_lengths(make: Callable[[], Network]) -> None:
    network = make()
    module = SpikingModule(network, seed=2, **DOUBLE)
    x, draws = inputs(network, 20, 0, BATCH), noise(network, 20, 1, BATCH)
    whole, end = module(x, noise=draws)
    state = None
    parts = []
    for steps in (slice(0, 1), slice(1, 13), slice(13, 20)):
        rasters, state = module(
            {k: v[steps] for k, v in x.items()},
            state,
            noise={k: v[steps] for k, v in draws.items()},
        )
        parts.append(rasters)
    assert same(whole, {k: torch.cat([part[k] for part in parts]) for k in whole})
    assert state is not None
    for k, cells in end.cells.items():
        for variable, value in cells.variables.items():
            assert torch.equal(state.cells[k].variables[variable], value)
        assert torch.equal(state.cells[k].blocked, cells.blocked)
    assert all(torch.equal(state.spikes[k], end.spikes[k]) for k in end.spikes)


def test_a_module_goes_to_a_backend_and_back() -> None:
    network = FEATURES["currents"]()
    with load("torch", network, seed=SEEDS) as backend, load("reference", network) as plain:
        assert isinstance(backend.simulator, TorchSimulator)
        module = backend.simulator.module(dtype=torch.float64)
        assert np.array_equal(module.weights("flow"), backend.weights("flow"))
        with torch.no_grad():
            for p in network.projections:
                module.weight(p.name).mul_(-2.0)  # still on the grid
        module.write_to(backend)
        for p in network.projections:
            assert np.array_equal(backend.weights(p.name), module.weights(p.name)), p.name
            plain.set_weights(p.name, module.weights(p.name)[1])
        alone = plain.weights("first")
        assert np.array_equal(alone, module.weights("first")[1])


def cell(neuron: Any, weight: float = 0.7, **options: Any) -> Network:
    """Connect one input to one neuron with the weight."""
    return Network(
        (Source("input", 1), Population("cell", 1, neuron)),
        (Projection("drive", "input", "cell", weight, plasticity=Plasticity(), **options),),
    )


def derivative(
    network: Network, how: Estimator, draw: float, **options: Any
) -> tuple[float, float]:
    """Return the spike of step 1 after an input spike in step 0, and its derivative by weight."""
    module = SpikingModule(network, estimator=how, **DOUBLE, **options)
    spike = torch.tensor([1.0, 0.0]).reshape(2, 1, 1)
    rasters, _ = module({"input": spike}, noise={"cell": torch.tensor([[[-9.0]], [[draw]]])})
    s = rasters["cell"][1].sum()
    if not s.requires_grad:
        return float(s), 0.0
    s.backward()
    return float(s.detach()), float(slope_of(module)[0, 0])


def slope_of(module: SpikingModule) -> npt.NDArray[np.float64]:
    """Return the gradient by the weights of ``drive``."""
    found = module.weight("drive").grad
    assert found is not None
    return np.asarray(found[0].numpy())


def sigmoid(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))


@pytest.mark.parametrize("draw", [-3.0, 0.4])
def test_derivatives_by_hand(draw: float) -> None:
    """The papers' unit has width 1/2, threshold 0, and here a membrane of 0.7 - 0.2."""
    network = cell(GLM(bias=-0.2))
    spike = float(0.5 + 0.5 * draw > 0)
    for tau in (1.0, 0.3):
        r = sigmoid((0.5 + 0.5 * draw) / (0.5 * tau))
        expected = r * (1 - r) / (0.5 * tau)
        assert derivative(network, Concrete(tau), draw) == pytest.approx((spike, expected))
        assert derivative(network, Concrete(tau, hard=False), draw) == pytest.approx((r, expected))
    p = sigmoid(0.5 / 0.5)
    assert derivative(network, Slope(), draw) == pytest.approx((spike, p * (1 - p) / 0.5))
    assert derivative(network, Score(), draw) == (spike, 0.0)


def test_a_signed_weight_counts_twice_where_there_is_a_spike() -> None:
    """q = 2 w s - w: with a spike in step 0 its derivative by w is 1, in silence -1."""
    p = sigmoid((0.7 - 0.2) / 0.5)
    slope = p * (1 - p) / 0.5
    network = cell(GLM(bias=-0.2), signed=True)
    assert derivative(network, Slope(), 0.4)[1] == pytest.approx(slope)


def test_a_neuron_without_noise_has_a_sigmoid_of_the_width_asked_for() -> None:
    network = cell(LIF(tau_mem=0.0, threshold=0.6))
    r = sigmoid(0.1 / 0.3)
    for how in (Concrete(), Slope()):
        found = derivative(network, how, 5.0, surrogate_width=0.3)
        assert found == pytest.approx((1.0, r * (1 - r) / 0.3))


def test_the_reset_is_a_constant_if_asked() -> None:
    """v_2 = d v_1 (1 - s_1): with a reset of its own derivative the weight counts twice less."""
    network = cell(CubaLIF(0.0, 1e-3 / np.log(2), 0.5, 0.0, 0.2))
    found = []
    for detach_reset in (False, True):
        module = SpikingModule(network, estimator=Slope(), detach_reset=detach_reset, **DOUBLE)
        x = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
        draws = {"cell": torch.tensor([0.0, -9.0, 0.0]).reshape(3, 1, 1)}
        rasters, _ = module({"input": x}, noise=draws)
        rasters["cell"][2].sum().backward()
        found.append(float(slope_of(module)[0, 0]))
    v = 0.7  # of step 1: no spike, as the draw is low; 0.35 is left for step 2
    slopes = [sigmoid(y / 0.2) * sigmoid(-y / 0.2) / 0.2 for y in (v - 0.5, v / 2 - 0.5)]
    assert found[1] == pytest.approx(0.5 * slopes[1])
    assert found[0] == pytest.approx(0.5 * slopes[1] * (1 - v * slopes[0]))


def test_probabilities_and_gradients_of_equations_are_those_of_the_neuron_they_write() -> None:
    written = Equations(
        "v = keep*v + q",
        "v > 0.5",
        "v = 0",
        parameters={"keep": float(np.exp(-0.2))},
        initial={"v": 0.0},
        refractory=2e-3,
        noise=0.3,
    )
    neuron = LIF(tau_mem=5e-3, threshold=0.5, noise=0.3, refractory=2e-3)
    x = {"input": np.random.default_rng(0).random((20, BATCH, 1)) < 0.5}
    draws = noise(cell(neuron), 20, 1, BATCH)
    found = []
    for one in (neuron, written):
        module = SpikingModule(cell(one), seed=1, estimator=Slope(), **DOUBLE)
        rasters, _ = module(x, noise=draws)
        rasters["cell"].sum().backward()
        by_spikes = slope_of(module).copy()
        log_p = module.log_prob(x, rasters)["cell"]
        torch.autograd.backward(log_p.sum())
        found.append((rasters["cell"], log_p, by_spikes, slope_of(module)))
    for mine, theirs in zip(*found, strict=True):
        one, other = (torch.as_tensor(values).detach() for values in (mine, theirs))
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert found[0][0].any()


def test_fixed_projections_are_no_parameters() -> None:
    module = SpikingModule(FEATURES["weights written between windows"]())
    assert [k for k, _ in module.named_parameters()] == ["synapses.drive.weight"]
    assert [k for k, _ in SpikingModule(FEATURES["LIF"]()).named_parameters()] == []
    saved = SpikingModule(FEATURES["LIF"](), seed=1).state_dict()
    assert sorted(saved) == ["synapses.first.weight", "synapses.second.weight"]


def test_masked_synapses_learn_nothing() -> None:
    network = all_plastic(FEATURES["sparse projection (mask)"]())
    module = SpikingModule(network, seed=0)
    rasters, _ = module(inputs(network, 12, 0, 8))
    rasters["cells"].sum().backward()
    mask = network.projection("drive").mask
    assert mask is not None
    assert not slope_of(module)[~mask].any()
    assert slope_of(module).any()
    with torch.no_grad():
        module.weight("drive").add_(1.0)
    assert not module.weights("drive")[~mask].any()


def test_clip_keeps_the_bounds() -> None:
    module = SpikingModule(FEATURES["weights written between windows"]())
    with torch.no_grad():
        module.weight("drive").fill_(3.0)
    module.clip()
    assert (module.weights("drive") == 1.0).all()


def test_silenced_environments_start_anew() -> None:
    network = FEATURES["refractory period"]()
    module = SpikingModule(network, seed=0, **DOUBLE)
    x, draws = inputs(network, 10, 0, BATCH), noise(network, 10, 1, BATCH)
    _, state = module(x, noise=draws)
    done = torch.tensor([True, False, True, False])
    fresh, _ = module(x, noise=draws)
    mixed, _ = module(x, state.silenced(done), noise=draws)
    going, _ = module(x, state, noise=draws)
    for k in mixed:
        assert torch.equal(mixed[k][:, done], fresh[k][:, done])
        assert torch.equal(mixed[k][:, ~done], going[k][:, ~done])
    assert not same(mixed, going)


def test_populations_in_order() -> None:
    def net(*edges: str) -> Network:
        names = sorted({name for edge in edges for name in edge})
        nodes = tuple(Population(name, 1, LIF()) for name in names)
        return Network(nodes, tuple(Projection(f"p{k}", *e) for k, e in enumerate(edges)))

    assert groups(net("ca", "ab")) == [("c",), ("a",), ("b",)]
    assert groups(net("ab", "bc", "cb", "cd", "dd")) == [("a",), ("b", "c"), ("d",)]


def test_draws_are_logistic() -> None:
    """Each entry of the table comes about as often: chi-squared of 16383 degrees, its s.d. 181."""
    made, again = (draws((5, 401, 999)) for _ in range(2))
    assert made.shape == (5, 401, 999)
    index = np.searchsorted(LOGISTIC_TABLE.astype(np.float32), made.numpy().ravel())
    counts = np.bincount(index, minlength=len(LOGISTIC_TABLE))
    mean = made.numel() / len(LOGISTIC_TABLE)
    assert abs(((counts - mean) ** 2).sum() / mean - len(LOGISTIC_TABLE)) < 5 * 181
    assert torch.equal(made, again)


def draws(shape: tuple[int, ...]) -> Any:
    words = draw_words(shape, torch.Generator().manual_seed(0), torch.device("cpu"))
    return logistic(words, torch.float32)


def test_a_generator_decides_the_spikes() -> None:
    network = actor_network(6, 2, neuron=CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5), actors=2)
    module = SpikingModule(network, seed=SEEDS)
    x = inputs(network, 10, 0, 3, BATCH)
    a, b, c = (module(x, generator=torch.Generator().manual_seed(k))[0] for k in (1, 1, 2))
    assert a["output"].dtype == torch.float32
    assert same(a, b)
    assert not same(a, c)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"inptu": np.zeros((5, 2, 6))}, UnknownNameError, "did you mean 'input'"),
        ({"input": np.zeros((5, 6))}, ArgumentError, r"wrong shape .*\(n_steps, batch, 6\)"),
        ({"input": np.zeros((5, 2, 7))}, ArgumentError, "wrong shape"),
        ({}, ArgumentError, "n_steps"),
    ],
)
def test_bad_inputs(change: dict[str, Any], error: type[Exception], words: str) -> None:
    module = SpikingModule(FEATURES["escape noise"]())
    with pytest.raises(error, match=words):
        module(change)


def test_other_bad_arguments() -> None:
    network = FEATURES["escape noise"]()
    module = SpikingModule(network, seed=SEEDS)
    x = inputs(network, 5, 0, 3, 2)
    with pytest.raises(ArgumentError, match="noise: that of 'last' is missing"):
        module(x, noise={"middle": np.zeros((5, 3, 2, 12))})
    with pytest.raises(ArgumentError, match=r"noise of .*wrong shape"):
        module(x, noise=noise(network, 4, 0, 3, 2))
    with pytest.raises(ArgumentError, match=r"wrong shape \(got \(6, 12\), limit \(3, 6, 12\)"):
        module.set_weights("first", np.zeros((6, 12)))
    with pytest.raises(UnknownNameError, match="did you mean 'first'"):
        module.weights("frist")
    with pytest.raises(UnknownNameError, match="did you mean 'slope'"):
        estimator("slop")
    with pytest.raises(UnknownNameError, match="did you mean 'eager'"):
        SpikingModule(network, engine="eagre")
    with pytest.raises(ArgumentError, match="temperature"):
        Concrete(0.0)
    plain = SpikingModule(FEATURES["LIF"]())
    x = inputs(plain.network, 5, 0, 2)
    rasters, _ = plain(x)
    with pytest.raises(UnsupportedError, match=r"no probability .* last, middle"):
        plain.log_prob(x, rasters)


def test_uniform_weights_are_those_of_the_backends() -> None:
    network = Network(
        (Source("input", 3), Population("cells", 4, LIF())),
        (Projection("drive", "input", "cells", Uniform(-1.0, 1.0), plasticity=Plasticity()),),
    )
    with load("reference", network, seed=SEEDS) as backend:
        expected = backend.weights("drive")
    found = SpikingModule(network, seed=SEEDS, **DOUBLE).weights("drive")
    assert np.array_equal(found, expected)


PAGE = Path(__file__).parents[3] / "docs" / "reparameterization.md"


def test_the_example_of_the_page() -> None:
    made: dict[str, Any] = {}
    example, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(example, made)
    assert made["rasters"]["hidden"].shape == (10, 64, 160)
    assert made["rasters"]["output"].shape == (10, 64, 20)
    assert made["module"].weight("hidden_output").grad.any()
    assert made["weights"].shape == (40, 160)


def test_memory_is_kept_where_there_is_a_setting() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from neurorl.backends.torch import keep_freed_memory; print(keep_freed_memory())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(platform.libc_ver()[0] == "glibc")


def test_a_module_without_parameters_says_so() -> None:
    """An optimizer finds none where no projection learns; inference needs none, and no word."""
    nodes = (Source("in", 3), Population("out", 2, LIF()))
    fixed = Network(nodes, (Projection("drive", "in", "out", 0.5),))
    module = SpikingModule(fixed, seed=1).requires_grad_(False)
    with torch.no_grad():
        module(inputs(fixed, 5, 0, 1))
    with pytest.warns(UserWarning, match=r"module: no parameters; let projections learn: plast"):
        assert list(module.parameters()) == []
    learns = dataclasses.replace(fixed.projections[0], plasticity=Plasticity())
    assert len(list(SpikingModule(Network(nodes, (learns,)), seed=1).parameters())) == 1
