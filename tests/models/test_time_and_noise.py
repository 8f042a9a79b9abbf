"""Test time and white noise in equations, and the methods that go through stages."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from neurorl import Learning, Network, Population, Projection, Recording, Source, load
from neurorl.errors import NeurorlError, UnsupportedError
from neurorl.models import Equations
from neurorl.network.description import Plasticity
from neurorl.numerics.arrays import FloatArray


def recorded(
    neuron: Equations, size: int, steps: int, dt: float = 1e-3, seed: int = 0, variable: str = "v"
) -> FloatArray:
    """Return a variable of cells without input after each step, ``(steps, size)``."""
    nodes = (Source("input", 1), Population("cells", size, neuron))
    network = Network(nodes, (Projection("into", "input", "cells", 0.0),), dt=dt)
    name = f"cells.{variable}"
    with load("native", network, seed=seed) as backend, Recording(backend, [name]) as seen:
        backend.step({"input": np.zeros((steps, 1), dtype=np.bool_)}, steps)
    return np.asarray(seen[name])


def normal_distance(x: FloatArray) -> float:
    """Return the largest distance of a sample's distribution from the standard normal one."""
    true = np.array([0.5 + 0.5 * math.erf(v / math.sqrt(2.0)) for v in np.sort(x).tolist()])
    ranks = np.arange(len(x) + 1) / len(x)
    return float(max(np.max(ranks[1:] - true), np.max(true - ranks[:-1])))


def cell(equations: str, method: str, **more: Any) -> Equations:
    """Return a neuron that never spikes; its input does nothing."""
    return Equations(f"{equations} + 0*q", "v > 1e9", method=method, **more)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_errors_fall_as_the_method_says(method: str, order: int) -> None:
    """The solution of a stiff rk4 with steps of 0.1 ms is right to 1e-12 here."""
    neuron = cell("rate = 40*(1.5 + sin(200*t))\ndv/dt = rate - 3*v**2", method)
    fine = cell("dv/dt = rate - 3*v**2\nrate = 40*(1.5 + sin(200*t))", "rk4")
    true = recorded(fine, 1, 640, dt=1.25e-4)[-1, 0]
    errors = [
        abs(recorded(neuron, 1, round(0.08 / dt), dt)[-1, 0] - true) for dt in (4e-3, 2e-3, 1e-3)
    ]
    for coarse, half in itertools.pairwise(errors):
        assert coarse / half == pytest.approx(2.0**order, rel=0.35)


def test_time_is_that_of_the_beginning_of_a_step() -> None:
    neuron = Equations(
        "v = t + 0*q", "v >= 2.5*dt", "v = -t", initial={"v": 9.0}, refractory=1e-3, held=()
    )
    values = recorded(neuron, 1, 6)[:, 0]
    assert values.tolist() == [0.0, 0.001, 0.002, -0.003, 0.004, -0.005]


def test_white_noise_is_standard_normal_over_the_root_of_dt() -> None:
    for dt in (1e-3, 1e-4):
        neuron = cell("dv/dt = (g*xi - v)/dt", "euler", parameters={"g": 2.0})
        drawn = recorded(neuron, 500, 200, dt) / 2.0 * np.sqrt(dt)
        assert normal_distance(drawn.ravel()) * np.sqrt(drawn.size) < 1.95  # Kolmogorov, p = 0.001
        assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.015
        assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.015


def test_noises_of_other_names_seeds_and_populations_are_others() -> None:
    neuron = cell("dv/dt = (xi - v)/dt\ndw/dt = (xi_other - w)/dt", "euler")
    one = recorded(neuron, 200, 100)
    assert np.array_equal(one, recorded(neuron, 200, 100))
    for other in (recorded(neuron, 200, 100, seed=1), recorded(neuron, 200, 100, variable="w")):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("method", ["euler", "heun", "exponential_euler", "exact"])
def test_a_noisy_leak_has_the_variance_of_ornstein_and_uhlenbeck(method: str) -> None:
    """Allow 4 % of the variance: at dt / tau = 0.05 a method's own error is up to 3 %."""
    neuron = cell(
        "dv/dt = -v/tau + sigma*sqrt(2/tau)*xi", method, parameters={"tau": 0.02, "sigma": 0.7}
    )
    values = recorded(neuron, 2000, 300)[150:]
    assert values.var() == pytest.approx(0.49, rel=0.04)
    later = np.mean(values[:-20] * values[20:]) / values.var()
    assert later == pytest.approx(np.exp(-1.0), abs=0.03)


def test_multiplied_noise_means_what_stratonovich_says_by_heun() -> None:
    """Solve ``dv = s v xi``: the mean grows as exp(s^2 t / 2) by Heun's method, not by Euler's."""
    grown = {
        method: recorded(
            cell("dv/dt = s*v*xi", method, parameters={"s": 1.0}, initial={"v": 1.0}),
            20_000,
            100,
            dt=5e-3,
        )[-1].mean()
        for method in ("heun", "euler")
    }
    assert grown["heun"] == pytest.approx(np.exp(0.25), rel=0.03)
    assert grown["euler"] == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("backend", ["reference", "native", "brian2"])
def test_a_hazard_of_ones_own(backend: str) -> None:
    """Spikes come as often as an exponential hazard says, as Gerstner's escape noise has it."""
    hazard = Equations(
        "v = k + 0*q",
        threshold="rand < dt*rate*exp((v - theta)/delta)",
        initial={"v": 0.0},
        parameters={"k": np.linspace(0, 1, 50), "rate": 20.0, "theta": 0.5, "delta": 0.25},
    )
    nodes = (Source("input", 1), Population("cells", 50, hazard))
    network = Network(nodes, (Projection("into", "input", "cells", 0.0),))
    n = 3000 if backend == "brian2" else 20_000
    with load(backend, network, seed=2) as loaded:
        spikes = loaded.step({}, n)["cells"]
    wanted = 0.02 * np.exp((np.linspace(0, 1, 50) - 0.5) / 0.25)
    assert (np.abs(spikes.mean(axis=0) - wanted) < 4.5 * np.sqrt(wanted / n)).all()
    with load("native", network, seed=2) as loaded:
        assert np.array_equal(spikes, loaded.step({}, n)["cells"])


NOISY = Equations(
    "dv/dt = (0.4 - v + q)/0.02 + 0.5*xi", "v > 1", "v = 0", method="euler", noise=0.2
)
PLASTIC = Plasticity(0.1, -1.0, 1.0)


def test_rules_of_probabilities_refuse_what_is_not_computed_again() -> None:
    nodes = (Source("input", 2), Population("cells", 3, NOISY))
    network = Network(nodes, (Projection("into", "input", "cells", 0.1, plasticity=PLASTIC),))
    with load("reference", network) as backend:
        with pytest.raises(UnsupportedError, match=r"'cells' draws xi or reads t.*a rule of"):
            Learning(backend, "coagent")
        Learning(backend, "reward-stdp").window({"input": np.ones((20, 2), dtype=np.bool_)}, 20)


def test_a_chip_refuses_them() -> None:
    leak = Equations(
        "dv/dt = (-v + q)/0.02 + xi", "v > 1", "v = 0", method="exact", initial={"v": 0.0}
    )
    nodes = (Source("input", 2), Population("cells", 3, leak))
    network = Network(nodes, (Projection("into", "input", "cells", 0.1),))
    with pytest.raises(NeurorlError, match="cells"):
        load("reference", network, arithmetic="loihi")


def test_modules_train_through_noise_and_have_no_clock() -> None:
    torch = pytest.importorskip(
        "torch", reason="torch is not installed: pip install 'neurorl[torch]'"
    )
    from neurorl.backends.torch import SpikingModule

    nodes = (Source("input", 2), Population("cells", 3, NOISY))
    into = Projection("into", "input", "cells", 0.1, plasticity=PLASTIC)
    module = SpikingModule(Network(nodes, (into,)))
    inputs = {"input": torch.ones(30, 4, 2)}
    draws = [module(inputs, generator=torch.Generator().manual_seed(k))[0] for k in (0, 0, 1)]
    assert torch.equal(draws[0]["cells"], draws[1]["cells"])
    assert not torch.equal(draws[0]["cells"], draws[2]["cells"])
    draws[0]["cells"].sum().backward()
    (weight,) = module.parameters()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0
    clocked = Equations("dv/dt = t + q", "v > 1", method="euler")
    nodes = (Source("input", 2), Population("cells", 3, clocked))
    with pytest.raises(UnsupportedError, match="'cells': reads t, and a module has no clock"):
        SpikingModule(Network(nodes, (into,)))(inputs)
