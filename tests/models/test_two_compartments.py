"""Compare Pinsky and Rinzel's neuron of two compartments with the same equations in SciPy."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import neurorl
from neurorl import Network, Population, Projection, Recording, Source, load
from neurorl.models import Equations
from neurorl.numerics.arrays import FloatArray
from neurorl.testing import same_state

EXAMPLE = Path(neurorl.__file__).parents[1] / "examples" / "gallery" / "two_compartments.py"
CURRENT, SECONDS = 0.75, 0.06


@pytest.fixture(scope="module")
def neuron() -> Equations:
    matplotlib.use("Agg")
    found: Equations = runpy.run_path(str(EXAMPLE))["PINSKY_RINZEL"]
    return found


def derivatives(_: float, state: FloatArray) -> list[float]:
    """Return the derivatives per ms, as table 1 and the appendix of the paper have them."""
    vs, vd, h, n, s, c, q, ca = state
    exp = np.exp
    alpha_m = 0.32 * (13.1 - vs) / (exp((13.1 - vs) / 4) - 1)
    beta_m = 0.28 * (vs - 40.1) / (exp((vs - 40.1) / 5) - 1)
    alpha_n = 0.016 * (35.1 - vs) / (exp((35.1 - vs) / 5) - 1)
    beta_n = 0.25 * exp(0.5 - 0.025 * vs)
    alpha_h, beta_h = 0.128 * exp((17 - vs) / 18), 4 / (1 + exp((40 - vs) / 5))
    alpha_s = 1.6 / (1 + exp(-0.072 * (vd - 65)))
    beta_s = 0.02 * (vd - 51.1) / (exp((vd - 51.1) / 5) - 1)
    if vd <= 50:
        alpha_c = exp((vd - 10) / 11 - (vd - 6.5) / 27) / 18.975
        beta_c = 2 * exp((6.5 - vd) / 27) - alpha_c
    else:
        alpha_c, beta_c = 2 * exp((6.5 - vd) / 27), 0.0
    alpha_q, beta_q = min(0.00002 * ca, 0.01), 0.001
    sodium = 30 * (alpha_m / (alpha_m + beta_m)) ** 2 * h * (vs - 120)
    potassium, calcium = 15 * n * (vs + 15), 10 * s**2 * (vd - 140)
    after = 0.8 * q * (vd + 15) + 15 * c * min(ca / 250, 1) * (vd + 15)
    soma = -0.1 * vs - sodium - potassium + 2.1 / 0.5 * (vd - vs) + CURRENT / 0.5
    dendrite = -0.1 * vd - calcium - after + 2.1 / 0.5 * (vs - vd)
    gates = ((alpha_h, beta_h, h), (alpha_n, beta_n, n), (alpha_s, beta_s, s), (alpha_c, beta_c, c))
    moved = [alpha * (1 - x) - beta * x for alpha, beta, x in (*gates, (alpha_q, beta_q, q))]
    return [soma / 3, dendrite / 3, *moved, -0.13 * calcium - 0.075 * ca]


def run(neuron: Equations, dt: float) -> dict[str, FloatArray]:
    """Return each variable after each step."""
    nodes = (Source("electrode", 1, "values"), Population("cell", 1, neuron))
    network = Network(nodes, (Projection("current", "electrode", "cell", 1.0),), dt)
    n_steps = round(SECONDS / dt)
    with (
        load("native", network) as running,
        Recording(running, [f"cell.{x}" for x in neuron.initial]) as seen,
    ):
        running.step({"electrode": np.full((n_steps, 1), CURRENT)}, n_steps)
    return {x: seen[f"cell.{x}"][:, 0] for x in neuron.initial}


def test_it_is_the_solution_of_the_papers_equations(neuron: Equations) -> None:
    solve = pytest.importorskip(
        "scipy.integrate", reason="SciPy, which nengo-loihi brings, is not installed"
    ).solve_ivp
    begins = [float(x) for x in neuron.initial.values()]
    times = 1e3 * np.arange(1, 2401) * 2.5e-5
    options = {"method": "LSODA", "rtol": 1e-10, "atol": 1e-12, "max_step": 0.05}
    expected = solve(derivatives, (0, times[-1]), begins, t_eval=times, **options).y
    assert (np.diff(1.0 * (expected[0] > 30.0)) > 0).sum() == 3, "it bursts"
    errors = []
    for every in (1, 2):
        seen = run(neuron, 2.5e-5 / every)
        pairs = zip(seen.values(), expected, strict=True)
        errors.append(max(np.abs(x[every - 1 :: every] - y).max() / np.ptp(y) for x, y in pairs))
    assert errors[0] < 1e-2
    assert errors[1] < errors[0] / 8  # of fourth order, it would be 16


def test_it_has_the_same_bits_elsewhere(neuron: Equations) -> None:
    nodes = (Source("electrode", 1, "values"), Population("cell", 1, neuron))
    network = Network(nodes, (Projection("current", "electrode", "cell", 1.0),), 5e-5)
    states = []
    for backend in ("reference", "native", "brian2", "torch"):
        with load(backend, network) as running:
            assert running.step({"electrode": np.full((540, 1), CURRENT)}, 540)["cell"].any()
            states.append(running.state())
    assert all(same_state(one, states[0]) == [] for one in states[1:])
