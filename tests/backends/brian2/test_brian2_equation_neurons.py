"""Test neurons by equations as groups of Brian2: every bit is the reference's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from random_neurons import random_neuron
from stepwise import EquationNeurons

from neurorl.backends.brian2.equation_neurons import neuron_constants, neuron_text
from neurorl.backends.brian2.equations import arrival_of
from neurorl.backends.brian2.expressions import expression_functions
from neurorl.backends.brian2.noise import noise_functions
from neurorl.backends.brian2.preferences import cython_problem, exact_preferences
from neurorl.backends.brian2.vendor import brian2
from neurorl.models.equations import Equations
from neurorl.models.published import ADEX
from neurorl.numerics.random import logistic, words

SIZE, STEPS, DT = 13, 60, 1e-3
KINDS: dict[str, type] = {"1": np.float64, "integer": np.int64, "boolean": np.bool_}


def memory(group: Any, name: str) -> npt.NDArray[Any]:
    value: npt.NDArray[Any] = group.variables[name].get_value()
    return value.reshape(-1)


def run(neuron: Equations, arrived: dict[str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    """Run a group of Brian2; return state variables, and ``spikes``, after each step."""
    plan = neuron.plan(SIZE, DT)
    text = neuron_text(plan, "population", "node_0", SIZE)
    variables = [line.split(" : ") for line in text.model.splitlines()]
    tables = {f"table_{x}": brian2.TimedArray(v, dt=DT * brian2.second) for x, v in arrived.items()}
    group = brian2.NeuronGroup(
        SIZE,
        text.model,
        threshold=text.threshold,
        reset=text.reset,
        clock=brian2.Clock(DT * brian2.second),
        dtype={name: KINDS[kind.split()[0]] for name, kind in variables},
        namespace={**noise_functions(), **expression_functions(), **tables},
    )
    arrivals = "\n".join(f"{arrival_of(x)} = table_{x}(t, i)" for x in arrived)
    group.run_regularly(arrivals, when="before_groups")
    group.run_regularly(text.code, when="groups")
    constants = neuron_constants(plan)
    for name, value in constants.items():
        memory(group, name)[:] = value
    if plan.is_noisy:
        memory(group, "seed")[:], memory(group, "stream")[:] = 7, 3
    names = dict(zip(plan.initial, constants, strict=False))
    states = brian2.StateMonitor(group, list(names.values()), record=True, when="end")
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, states, monitor).run(STEPS * DT * brian2.second, namespace={})
    spikes = np.zeros((STEPS, SIZE), dtype=np.bool_)
    spikes[np.rint(np.asarray(monitor.t) / DT).astype(int), np.asarray(monitor.i)] = True
    return {x: np.asarray(getattr(states, name)).T for x, name in names.items()} | {
        "spikes": spikes
    }


def check(neuron: Equations, engine: str) -> int:
    """Compare every step with the reference; return how many spikes there were."""
    plan = neuron.plan(SIZE, DT)
    rng = np.random.default_rng(0)
    arrived = {x: rng.normal(0.1, 0.4, (STEPS, SIZE)) for x in plan.inputs}
    with exact_preferences(engine), np.errstate(all="ignore"):
        theirs = run(neuron, arrived)
    reference = EquationNeurons(plan)
    draws = logistic(words(7, 3, SIZE, 0, STEPS))
    for t in range(STEPS):
        now = {x: value[t] for x, value in arrived.items()}
        spikes = reference.step(now, draws[t] if plan.is_noisy else None)
        assert np.array_equal(spikes, theirs["spikes"][t]), t
        for x, value in reference.state.items():
            assert np.array_equal(value, theirs[x][t]), (x, t)
    return int(theirs["spikes"].sum())


def test_random_neurons() -> None:
    spikes = [check(random_neuron(seed, SIZE), "numpy") for seed in range(16)]
    assert np.count_nonzero(spikes) > 12


@pytest.mark.parametrize(
    "seed", [49, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 31, 58))]
)
def test_random_neurons_in_cython(seed: int) -> None:
    if cython_problem() is not None:
        pytest.skip("Cython can't compile")
    check(random_neuron(seed, SIZE), "cython")


def test_texts_are_readable() -> None:
    text = neuron_text(ADEX.plan(2, 1e-4), "population", "node_0", 2)
    first, *_, last = text.code.strip().splitlines()
    assert (first, last) == ("q = 1.0*arrived_q", "own_w_own = 1.0*next_w")  # synapses have a w
    assert text.threshold == "v > v_cut"
    assert text.reset.splitlines() == [
        "v = 1.0*v_reset",
        "new_1 = own_w_own + b",
        "own_w_own = new_1",
    ]
    assert "gL : 1 (constant)" in text.model
    assert "ms" not in text.model  # it is only a part of C*ms, which is one constant
