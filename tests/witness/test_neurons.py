"""Compare neurons by equations in networks with the same in plain Brian2 and in NEST.

Several presynaptic neurons add to the conductances of each neuron. Brian2 integrates the equations
itself, by the same method and dt: every spike is the same. NEST's `izhikevich` is Euler's method
too, so it has every spike. Its models with conductances are integrated by steps that it chooses
itself, so spikes are as near as a method of first order makes ours: time differences are stated in
steps, and so fall with dt. A membrane that just reaches its threshold in one only gives a spike
more, which is why some of the spikes are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conductances import DRIVES, NEURONS, Drive, nest_of, run_nest
from stepwise import EquationNeurons

from neurorl import Network, load
from neurorl.models import IZHIKEVICH, Equations

Array = npt.NDArray[Any]
Measured = Callable[[str, str, float, float], None]


def ours(neuron: Equations, drive: Drive, dt: float, seconds: float) -> tuple[Array, Network]:
    """Return spikes, ``(steps, neurons)``, and the network with the weights in force."""
    network = drive.network(neuron, dt)
    spikes = drive.spikes(dt, seconds)
    # What arrives in a step was sent a step before.
    with load("reference", network, seed=1) as backend:
        raster = backend.step(spikes, len(spikes["e"]))["cells"]
        weights = {p.name: backend.weights(p.name) for p in network.projections}
    projections = tuple(replace(p, weights=weights[p.name]) for p in network.projections)
    return raster, replace(network, projections=projections)


def plain_brian2(network: Network, spikes: dict[str, Array]) -> Array:
    """Return the same of Brian2's own equations, methods and synapses."""
    from neurorl.backends.brian2.vendor import brian2, exact_preferences

    (cells,) = network.populations
    neuron, dt = cells.neuron, network.dt * brian2.second
    assert isinstance(neuron, Equations)
    lines = [line.strip() for line in neuron.equations.strip().splitlines()]
    equations = "\n".join(
        f"{line.replace('= ', '= (', 1)})/second : 1"
        + (" (unless refractory)" if line.startswith("dv") and neuron.refractory else "")
        for line in lines
    )
    refractory = {}
    if neuron.refractory:  # Brian2's counts the step of the spike, too
        refractory = {"refractory": (neuron.refractory + network.dt) * brian2.second}
    with exact_preferences("numpy"), np.errstate(invalid="ignore"):
        group = brian2.NeuronGroup(
            cells.size,
            equations,
            threshold=neuron.threshold,
            reset=neuron.reset,
            method=neuron.method,
            namespace=dict(neuron.parameters),
            dt=dt,
            **refractory,
        )
        for name, value in neuron.initial.items():
            setattr(group, name, value)
        objects = [group]
        for p in network.projections:
            step, cell = np.nonzero(spikes[p.pre])
            source = brian2.SpikeGeneratorGroup(spikes[p.pre].shape[1], cell, step * dt, dt=dt)
            code = f"{network.target(p)}_post += weight"
            synapses = brian2.Synapses(source, group, "weight : 1", on_pre=code, dt=dt)
            synapses.connect()
            synapses.weight = np.asarray(p.weights)[synapses.i, synapses.j]
            objects += [source, synapses]
        monitor = brian2.SpikeMonitor(group)
        brian2.Network(*objects, monitor).run(len(spikes["e"]) * dt, namespace={})
    raster = np.zeros((len(spikes["e"]), cells.size), bool)
    raster[np.rint(np.asarray(monitor.t) / network.dt).astype(int), np.asarray(monitor.i)] = True
    return raster


@pytest.mark.witness("brian2")
@pytest.mark.parametrize(("name", "dt"), [("aeif", 1e-4), ("coba", 1e-4)])
def test_every_spike_is_brian2s(name: str, dt: float, measured: Measured) -> None:
    spikes = DRIVES[name].spikes(dt, 0.4)
    raster, network = ours(NEURONS[name], DRIVES[name], dt, 0.4)
    theirs = plain_brian2(network, spikes)
    assert raster.sum() > 100
    what = f"{name}: spikes that differ, of {int(raster.sum())}"
    measured("Brian2, its own equations and synapses", what, (raster != theirs).sum(), 0)


SHARE, STEPS = 0.95, {"aeif": 5, "coba": 25}
"""Require this share of spikes, within this many steps of NEST's."""


def by_nest(name: str, network: Network, spikes: dict[str, Array], folder: Path) -> list[Array]:
    """Return the spike times of each neuron, in steps."""
    weights = {p.name: np.asarray(p.weights) for p in network.projections}
    return nest_of(name, NEURONS[name], network.dt, weights, spikes, folder)[0]


def apart(one: list[Array], other: list[Array], before: float) -> list[float]:
    """Return how far each spike of *one* is from the nearest of *other*, up to a time."""
    return [
        float(np.abs(times - t).min(initial=np.inf))
        for train, times in zip(one, other, strict=True)
        for t in train[train < before]
    ]


@pytest.mark.witness("nest")
@pytest.mark.parametrize("dt", [1e-4, pytest.param(2e-5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(NEURONS))
def test_spike_times_are_nests(name: str, dt: float, tmp_path: Path, measured: Measured) -> None:
    seconds = 0.2
    spikes = DRIVES[name].spikes(dt, seconds)
    raster, network = ours(NEURONS[name], DRIVES[name], dt, seconds)
    trains = [1 + np.flatnonzero(train) for train in raster.T]
    theirs = by_nest(name, network, spikes, tmp_path)
    last = (seconds - 5e-3) / dt  # one may come just after the end
    differences = [*apart(trains, theirs, last), *apart(theirs, trains, last)]
    assert len(differences) > 100
    worst = float(np.quantile(differences, SHARE))
    label = f"{name}: steps of {1e3 * dt:g} ms between spikes, {SHARE:.0%} of {len(differences)}"
    witness = {"aeif": "NEST aeif_cond_exp", "coba": "NEST iaf_cond_exp"}[name]
    measured(witness, label, worst, STEPS[name])


@pytest.mark.witness("nest")
@pytest.mark.parametrize("dt", [1e-3, 5e-4])
def test_every_spike_is_nests_izhikevich(dt: float, tmp_path: Path, measured: Measured) -> None:
    seconds, current = 0.5, np.linspace(3.0, 30.0, 30)
    neurons = EquationNeurons(IZHIKEVICH.plan(len(current), dt))
    raster = np.array([neurons.step({"q": current}) for _ in range(round(seconds / dt))])
    parameters = {name: IZHIKEVICH.parameters[name] for name in "abcd"}
    case = {
        "model": "izhikevich",
        "parameters": {**parameters, "V_th": 30.0, "U_m": IZHIKEVICH.initial["u"]},
        "resolution": 1e3 * dt,
        "duration": 1e3 * seconds,
        "start": IZHIKEVICH.initial["v"],
    }
    none = {"times": np.zeros((0, 0)), "weights": np.zeros((0, len(current)))}
    out = run_nest(case, {"current": current, **none}, tmp_path)
    theirs = np.zeros_like(raster)
    theirs[np.rint(1e-3 * out["times"] / dt).astype(int) - 1, out["senders"]] = True
    assert raster.sum() > 500
    what = f"spikes that differ, of {int(raster.sum())}, dt {1e3 * dt:g} ms"
    measured("NEST izhikevich", what, int((raster != theirs).sum()), 0)
    off = float(np.abs(out["v"] - neurons.state["v"]).max())
    measured("NEST izhikevich", f"membrane after 0.5 s, mV, dt {1e3 * dt:g} ms", off, 1e-9)
