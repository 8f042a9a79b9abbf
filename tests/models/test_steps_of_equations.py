"""Compare rates of the literature's neurons at three lengths of a step: they differ little."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from stepwise import EquationNeurons
from stepwise.neurons import FloatNeurons

from neurorl.models import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH, LIF, Equations
from neurorl.network.neuron import Neuron

SIZE, SECONDS, MS = 100, 0.6, 1e-3
BOUND = 0.12
"""Limit the relative difference of a rate for each millisecond of dt."""


@dataclass(frozen=True)
class Case:
    """Hold a neuron and its input.

    current: of the mean neuron; they go from 0.8 to 1.2 of it. spikes: by input, how many arrive a
    second, at whole milliseconds, and what each adds.
    """

    neuron: Equations
    current: float = 0.0
    spikes: tuple[tuple[str, float, float], ...] = ()


CASES = {
    "IZHIKEVICH": Case(IZHIKEVICH, current=10.0),
    "ADEX": Case(ADEX, current=1000.0),
    "COBA_LIF": Case(COBA_LIF, spikes=(("ge", 300.0, 0.6), ("gi", 100.0, 1.5))),
    "ADAPTIVE_LIF": Case(ADAPTIVE_LIF, spikes=(("v", 400.0, 0.2),)),
}


def rate(case: Case, dt: float) -> float:
    """Return spikes a second and neuron."""
    rng = np.random.default_rng(0)
    arrives = {x: rng.random((round(SECONDS / MS), SIZE)) < f * MS for x, f, _ in case.spikes}
    jumps = {x: jump for x, _, jump in case.spikes}
    constant = {"q": case.current * np.linspace(0.8, 1.2, SIZE)} if case.current else {}
    plan = case.neuron.plan(SIZE, dt)
    neurons, every, total = EquationNeurons(plan), round(MS / dt), 0
    for t in range(round(SECONDS / dt)):
        now = {} if t % every else {x: jumps[x] * a[t // every] for x, a in arrives.items()}
        draws = rng.logistic(size=SIZE) if plan.is_noisy else None
        total += int(neurons.step({**constant, **now}, draws).sum())
    return total / SIZE / SECONDS


SLOW = pytest.param("COBA_LIF", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [SLOW if name == "COBA_LIF" else name for name in CASES])
def test_rates_hang_little_on_dt(name: str) -> None:
    """The docs have these numbers; from 0.1 to 0.02 ms they change by less than a hundredth."""
    coarse, middle, fine = (rate(CASES[name], dt) for dt in (MS, 0.5 * MS, 0.1 * MS))
    print(f"| `{name}` | {coarse:.1f} | {middle:.1f} | {fine:.1f} |")
    assert fine > 10
    assert abs(middle - fine) < 0.5 * BOUND * fine
    assert abs(middle - fine) < 0.75 * abs(coarse - fine) < 0.75 * BOUND * fine


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_rates_converge(name: str) -> None:
    fine, finest = rate(CASES[name], 0.1 * MS), rate(CASES[name], 0.02 * MS)
    assert abs(fine - finest) < 0.1 * BOUND * finest


def test_what_is_per_step_is_not() -> None:
    """Each step draws noise anew, and LIF takes weight and bias in each step."""
    noisy = dataclasses.replace(ADAPTIVE_LIF.with_parameters(v_t=4.0, beta=0.0), noise=0.5)
    slow, quick = (rate(Case(noisy), dt) for dt in (MS, 0.5 * MS))
    assert 1.7 < quick / slow < 2.3

    def spikes(neuron: Neuron, dt: float) -> int:
        cells = FloatNeurons(neuron.integrator(1, dt), lambda steps: np.zeros(1))
        return sum(int(cells.update(np.zeros(1), [t])[0]) for t in range(round(1.0 / dt)))

    assert spikes(LIF(bias=0.2), 0.5 * MS) > 1.9 * spikes(LIF(bias=0.2), MS)
