"""Give noise, biases and currents as pulses, where PyNN's cells can't have them as described.

A cell spikes if its membrane plus a draw is over its threshold; the draw is then forgotten. So a
step is cut in two. In its second half a pulse adds the draw, the bias and a lift to the membrane;
the threshold is higher by the lift, so it can be reached in that half only. In the first half of
the next step a pulse takes draw and lift back. A cell that has spiked is refractory in that half,
so that nothing is taken from a reset membrane. Draws are the description's.

Spikes, too, add to membranes in second halves only; a current that lasts is split into one synapse
for each step. So spikes have half a step to arrive, and every membrane is the description's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neurorl.network.description import Network, Population
from neurorl.network.integrator import Integrator
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import NoiseRows
from neurorl.pynn.cells import CellParameters
from neurorl.pynn.lags import ends_of
from neurorl.pynn.wiring import Rows

__all__ = [
    "SUBSTEPS",
    "Pulses",
    "in_steps",
    "lasting",
    "lift_of",
    "pulse_rows",
    "pulses",
]

SUBSTEPS = 2
"""Count the substeps of a step."""
_LEFT = 1e-14
"""Leave out this share of a current at its end."""


def lasting(d: Integrator, n_steps: int) -> int:
    """Return for how many steps currents last, at most *n_steps*."""
    slowest = float(d.current_decay.max(initial=0))
    if slowest == 0:
        return 1
    if slowest == 1:
        return n_steps
    return min(n_steps, int(np.ceil(np.log(_LEFT) / np.log(slowest))) + 1)


def in_steps(rows: Rows, d: Integrator, n_steps: int) -> Rows:
    """Return, for each of *rows*, a synapse for each step that its current lasts."""
    n = lasting(d, n_steps)
    decay = d.current_decay[rows.post]
    parts = [rows.weights * decay**k for k in range(n)]
    there = [np.flatnonzero(part) for part in parts]
    return Rows(
        np.concatenate([rows.pre[at] for at in there]),
        np.concatenate([rows.post[at] for at in there]),
        np.concatenate([part[at] for part, at in zip(parts, there, strict=True)]),
        np.concatenate([rows.steps[at] + k * SUBSTEPS for k, at in enumerate(there)]),
    )


class Pulses(NamedTuple):
    """Hold increments of membranes in each step, ``(n_steps, replicas * size)``.

    kept: biases, which stay. passing: draws, which are taken back.
    """

    kept: FloatArray
    passing: FloatArray


def pulses(
    network: Network,
    population: Population,
    weights: Mapping[str, FloatArray],
    n_steps: int,
    seed: int,
    begins: Sequence[int],
) -> Pulses:
    """Return the pulses of a population; begins: the number of each replica's first step."""
    d = population.integrator(network.dt)
    rows = NoiseRows(seed, network.index(population.name), population.size)
    noise = [d.noise_width * rows.rows(begin, n_steps) for begin in begins]
    bias = d.bias.astype(np.float64)
    for p in network.projections:
        if p.post == population.name and p.signed:  # a silent neuron transmits the negative weight
            _, post = ends_of(network, p)
            bias = bias - np.bincount(post, np.ravel(weights[p.name]), population.size)
    kept = np.broadcast_to(np.tile(bias, len(begins)), (n_steps, len(begins) * population.size))
    return Pulses(kept, np.concatenate(noise, axis=1))


def lift_of(
    network: Network, population: Population, weights: Mapping[str, FloatArray], given: Pulses
) -> float:
    """Return a lift of the thresholds that no membrane reaches without a pulse.

    It is twice the sum of the largest membrane, if all excitatory inputs spiked in every step, and
    of the largest pulse, plus the largest threshold.
    """
    d = population.integrator(network.dt)
    excited = np.zeros(population.size)
    for p in network.projections:
        if p.post == population.name:
            _, post = ends_of(network, p)
            strength = np.maximum(np.ravel(weights[p.name]), 0) * (2 if p.signed else 1)
            excited += np.bincount(post, strength, population.size)
    least = 1 / len(given.kept)  # so many steps add no more than this
    current = excited / np.maximum(1 - d.current_decay, least)
    biases = np.maximum(given.kept.max(initial=0), 0)
    membrane = (current + biases) / np.maximum(1 - d.membrane_decay, least)
    pulsed = np.abs(given.kept).max(initial=0) + np.abs(given.passing).max(initial=0)
    return float(2 * (membrane.max(initial=0) + pulsed) + np.abs(d.threshold).max())


def pulse_rows(cells: CellParameters, given: Pulses, lift: float, fine: float) -> list[Rows]:
    """Return synapses of sources that each spike once, a substep before a step's second half.

    fine: ms of a substep.
    """
    tau_m = np.asarray(cells.parameters["tau_m"])
    step, neuron = np.indices(given.kept.shape).reshape(2, -1)
    passing = given.passing + lift
    up, down = given.kept + passing, -passing * np.exp(-fine / tau_m)
    return [
        Rows(step, neuron, (part * cells.gain).ravel(), np.full(step.shape, k))
        for k, part in enumerate((up, down), start=1)
    ]
