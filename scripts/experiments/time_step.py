"""Run one network at several lengths of a step: as it is described, and converted.

Weights and biases act once a step, so dt is part of a model. `converted` has the rule of
docs/units.md, and `measure` the firing rates of its table.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.registry import load
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source, Uniform

STEPS_MS = (1.0, 0.5, 0.25)
_SIZE, _INPUTS, _INPUT_HZ = 50, 20, 50.0


@dataclass(frozen=True)
class Rates:
    """Return the mean firing rates (spikes per second and neuron) over *seconds* and *seeds* seeds.

    same: the description with another dt and nothing else. converted: by `converted`. same_noisy,
    converted_noisy: of neurons with escape noise.
    """

    dt_ms: float
    same: float
    converted: float
    same_noisy: float
    converted_noisy: float
    seconds: float
    seeds: int


def network(noise: float) -> Network:
    """Return 50 neurons that 20 inputs excite, and that inhibit each other, with dt = 1 ms."""
    rng = np.random.default_rng(0)
    drive = rng.uniform(0.0, 0.02, (_INPUTS, _SIZE))
    neuron = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0, bias=0.02, noise=noise)
    return Network(
        (Source("input", _INPUTS), Population("cells", _SIZE, neuron)),
        (
            Projection("drive", "input", "cells", drive, delay=1e-3),
            Projection("inhibition", "cells", "cells", -0.001, delay=1e-3),
        ),
        dt=1e-3,
    )


def converted(described: Network, dt: float) -> Network:
    """Return *described* for steps of *dt* with, about, the same currents and membranes.

    For populations of `CubaLIF` with numbers for parameters. Delays must be described, in seconds,
    as none means one step.
    """
    old = described.dt
    nodes: list[Any] = []
    into: dict[str, float] = {}
    for node in described.nodes:
        if isinstance(node, Source):
            nodes.append(node)
            continue
        neuron = node.neuron
        assert isinstance(neuron, CubaLIF)
        into[node.name] = _taken(neuron.tau_syn, dt) / _taken(neuron.tau_syn, old)
        if neuron.tau_syn == 0:
            into[node.name] = 1.0  # a spike acts in one step, however long
        changed = dataclasses.replace(
            neuron,
            bias=neuron.bias * _taken(neuron.tau_mem, dt) / _taken(neuron.tau_mem, old),
            threshold=neuron.threshold + neuron.noise * np.log(old / dt),
        )
        nodes.append(dataclasses.replace(node, neuron=changed))
    projections = [_scaled(p, into[p.post]) for p in described.projections]
    return dataclasses.replace(described, nodes=tuple(nodes), projections=tuple(projections), dt=dt)


def _taken(tau: float, dt: float) -> float:
    """Return the part of a current or membrane that a step of *dt* takes, 1 - exp(-dt/tau)."""
    return 1.0 if tau == 0 else float(-np.expm1(-dt / tau))


def _scaled(projection: Projection, factor: float) -> Projection:
    weights = projection.weights
    if isinstance(weights, Uniform):
        return dataclasses.replace(
            projection, weights=Uniform(factor * weights.low, factor * weights.high)
        )
    return dataclasses.replace(projection, weights=factor * weights)


def measure(seconds: float = 10.0, seeds: int = 5) -> list[Rates]:
    """Return the rates at each of `STEPS_MS`, for the same input spikes."""
    rows = []
    for dt_ms in STEPS_MS:
        dt = dt_ms * 1e-3
        same, changed, same_noisy, changed_noisy = (
            _rate(one, seconds, seeds)
            for described in (network(0.0), network(0.1))
            for one in (dataclasses.replace(described, dt=dt), converted(described, dt))
        )
        rows.append(Rates(dt_ms, same, changed, same_noisy, changed_noisy, seconds, seeds))
    return rows


def _rate(one: Network, seconds: float, seeds: int) -> float:
    fine = round(1e-3 / one.dt)
    milliseconds = round(1e3 * seconds)
    count = 0
    for seed in range(seeds):
        arrive = np.random.default_rng(seed).random((milliseconds, _INPUTS)) < 1e-3 * _INPUT_HZ
        raster = np.zeros((milliseconds * fine, _INPUTS), dtype=bool)
        raster[::fine] = arrive  # spikes keep their times
        with load("reference", one, seed=seed) as backend:
            count += int(backend.step({"input": raster}, len(raster))["cells"].sum())
    return count / (_SIZE * seconds * seeds)
