"""Compare neurons by equations with Brian2's own equations and methods: every spike is the same.

Brian2 gets the equations as its users write them, with units of time, and integrates them itself.
Its last bits differ, as it reorders terms; its refractory time counts the step of the spike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from stepwise import EquationNeurons

from neurorl.backends.brian2.vendor import brian2, exact_preferences
from neurorl.models.neurons.equations import Equations
from neurorl.models.neurons.published import ADEX, COBA_LIF, IZHIKEVICH

SIZE, STEPS = 100, 3000
Arrays = Mapping[str, npt.NDArray[np.float64]]

SYNAPSE_LIF = Equations(
    "dv/dt = (-v + R*u)/tau_m\ndu/dt = -u/tau_s",
    threshold="v > 1",
    reset="v = 0",
    method="exact",
    parameters={"tau_m": 20e-3, "tau_s": 5e-3, "R": 3.0},
    inputs=("u",),
)


@dataclass(frozen=True)
class Case:
    """Hold a neuron, the same in Brian2, a step in seconds, and its input.

    current: the largest one, drawn evenly for each neuron and step. jumps: by variable, how likely
    a presynaptic spike is and what it adds.
    """

    neuron: Equations
    brian2: str
    dt: float
    current: float = 0.0
    jumps: tuple[tuple[str, float, float], ...] = ()


COBA = """
dv/dt = (EL - v + ge*(Ee - v) + gi*(Ei - v))/(tau_m*second) : 1 (unless refractory)
dge/dt = -ge/(tau_e*second) : 1
dgi/dt = -gi/(tau_i*second) : 1"""
COBA_JUMPS = (("ge", 0.03, 0.6), ("gi", 0.01, 1.5))
CASES = {
    "Izhikevich": Case(
        IZHIKEVICH,
        "dv/dt = (0.04*v**2 + 5*v + 140 - u + I(t, i))/(1e-3*second) : 1\n"
        "du/dt = a*(b*v - u)/(1e-3*second) : 1",
        dt=5e-4,
        current=20.0,
    ),
    "AdEx": Case(
        ADEX,
        "dv/dt = (gL*(EL - v) + gL*DT*exp((v - VT)/DT) - w + I(t, i))/(C*1e-3*second) : 1\n"
        "dw/dt = (a*(v - EL) - w)/(tau_w*second) : 1",
        dt=1e-4,
        current=2000.0,
    ),
    "COBA-LIF, 0.1 ms": Case(COBA_LIF, COBA, dt=1e-4, jumps=COBA_JUMPS),
    "COBA-LIF, 1 ms": Case(COBA_LIF, COBA, dt=1e-3, jumps=COBA_JUMPS),
    "driven by waves, rk4": Case(
        Equations(
            "drive = 1.2 + sin(300*t)\ndv/dt = (drive + u - v - 0.5*v**3)/tau\ndu/dt = -u/tau_s",
            threshold="v > 1",
            reset="v = 0",
            method="rk4",
            parameters={"tau": 20e-3, "tau_s": 5e-3},
            inputs=("u",),
        ),
        "drive = 1.2 + sin(300*t/second) : 1\n"
        "dv/dt = (drive + u - v - 0.5*v**3)/(tau*second) : 1\n"
        "du/dt = -u/(tau_s*second) : 1",
        dt=1e-3,
        jumps=(("u", 0.1, 0.5),),
    ),
    "LIF, exact": Case(
        SYNAPSE_LIF,
        "dv/dt = (-v + R*u)/(tau_m*second) : 1\ndu/dt = -u/(tau_s*second) : 1",
        dt=1e-3,
        jumps=(("u", 0.05, 1.0),),
    ),
}


def inputs(case: Case) -> Arrays:
    """Return what arrives in each step; nothing in the first."""
    rng = np.random.default_rng(0)
    arrays: dict[str, npt.NDArray[np.float64]] = {
        name: np.where(rng.random((STEPS, SIZE)) < p, jump, 0.0) for name, p, jump in case.jumps
    }
    if case.current:
        arrays["q"] = rng.random((STEPS, SIZE)) * case.current
    for array in arrays.values():
        array[0] = 0.0
    return arrays


def ours(case: Case, arrays: Arrays) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    neurons = EquationNeurons(case.neuron.plan(SIZE, case.dt))
    spikes = [neurons.step({k: array[t] for k, array in arrays.items()}) for t in range(STEPS)]
    return np.array(spikes), neurons.state["v"]


def theirs(case: Case, arrays: Arrays) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    neuron, dt = case.neuron, case.dt * brian2.second
    namespace = {k: v for k, v in neuron.parameters.items() if k != "ms"}
    if "q" in arrays:
        namespace["I"] = brian2.TimedArray(arrays["q"], dt=dt)
    refractory = {}
    if neuron.refractory:
        refractory = {"refractory": (neuron.refractory + case.dt) * brian2.second}
    group = brian2.NeuronGroup(
        SIZE,
        case.brian2,
        threshold=neuron.threshold,
        reset=neuron.reset,
        method=neuron.method,
        namespace=namespace,
        dt=dt,
        **refractory,
    )
    for name, value in neuron.initial.items():
        setattr(group, name, value)
    network = brian2.Network(group)
    for name, _, jump in case.jumps:
        step, neurons = np.nonzero(arrays[name])
        source = brian2.SpikeGeneratorGroup(SIZE, neurons, (step - 1) * dt, dt=dt)
        synapses = brian2.Synapses(source, group, on_pre=f"{name}_post += {jump}", dt=dt)
        synapses.connect(j="i")
        network.add(source, synapses)
    monitor = brian2.SpikeMonitor(group)
    network.add(monitor)
    network.run(STEPS * dt, namespace={})
    spikes = np.zeros((STEPS, SIZE), dtype=np.bool_)
    spikes[np.rint(np.asarray(monitor.t) / case.dt).astype(int), np.asarray(monitor.i)] = True
    return spikes, np.asarray(group.v)


@pytest.mark.parametrize("name", CASES)
def test_every_spike_is_brian2s(name: str) -> None:
    case = CASES[name]
    arrays = inputs(case)
    spikes, v = ours(case, arrays)
    # Of neurons that are refractory Brian2's exponential Euler divides 0 by 0.
    with exact_preferences("numpy"), np.errstate(invalid="ignore"):
        brian2_spikes, brian2_v = theirs(case, arrays)
    assert spikes.sum() > 1000
    assert np.array_equal(spikes, brian2_spikes)
    assert v == pytest.approx(brian2_v, rel=1e-9, abs=1e-9)
