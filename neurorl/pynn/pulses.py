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
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurorl.network.description import Network, Population
from neurorl.network.neuron import Integrator
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import NoiseRows
from neurorl.pynn.wiring import Rows

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
    rows = NoiseRows(seed, network.index(population.name), population.size // len(begins))
    noise = d.noise_width * np.concatenate([rows.rows(x, n_steps) for x in begins], axis=1)
    bias = d.bias.astype(np.float64)
    for p in network.projections:
        if p.post == population.name and p.signed:  # a silent neuron transmits the negative weight
            _, post = network.ends(p.name)
            bias = bias - np.bincount(post, np.ravel(weights[p.name]), population.size)
    kept = np.broadcast_to(bias, (n_steps, population.size))
    return Pulses(kept, noise)


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
            _, post = network.ends(p.name)
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
    weights = [(part * cells.gain).ravel() for part in (up, down)]
    return [Rows(step, neuron, w, np.full(step.shape, k)) for k, w in enumerate(weights, start=1)]


_SHORTEST = 1e-2
"""Set the time constant, in steps, of a current that acts in one step of the simulator."""
_FORGOTTEN = 40
"""Let a membrane without memory have so many time constants in a step: ``exp(-40)`` is left."""


@dataclass(frozen=True)
class CellParameters:
    """Hold `IF_curr_exp`'s parameters and constants of them; ``(size,)``, in mV, ms, nA and nF.

    initial: initial membranes. gain: current of a spike whose weight is 1.
    """

    parameters: Mapping[str, FloatArray | float]
    initial: FloatArray
    gain: FloatArray


def plain_cells(d: Integrator, ms: float, begun: int, dead: int) -> CellParameters:
    """Return cells that are stepped like the description.

    ms: length of a step. begun: how many steps before the description's first the simulator begins.
    dead: as in `neurorl.pynn.wiring.PyNNTarget`.
    """
    tau_m = -ms / np.log(d.membrane_decay)
    tau_s = -ms / np.log(np.maximum(d.current_decay, np.exp(-1 / _SHORTEST)))
    parameters = {
        **_parameters(tau_m, tau_s, d.threshold),
        # a current that stays for a step adds this much of itself to the membrane
        "i_offset": d.bias / (tau_m * (1 - d.membrane_decay)),
        "tau_refrac": (d.refractory_steps + dead * (d.refractory_steps > 0)) * ms,
    }
    return CellParameters(parameters, _initial(d, begun), 1 / added(tau_s, tau_m, ms))


def pulsed_cells(d: Integrator, ms: float, substeps: int, dead: int, lift: float) -> CellParameters:
    """Return cells whose thresholds are *lift* higher, so that only pulses reach them.

    All currents act in one substep. The cells are dead for a substep after each spike, in which the
    lift is taken back; see `neurorl.pynn.pulses`. Pulses give biases too.
    """
    fine = ms / substeps
    tau_m = -ms / np.log(np.maximum(d.membrane_decay, np.exp(-_FORGOTTEN)))
    tau_s = np.full(len(tau_m), _SHORTEST * fine)
    dead_steps = np.asarray((d.refractory_steps * substeps + 1 + dead) * fine)
    parameters = {**_parameters(tau_m, tau_s, d.threshold + lift), "tau_refrac": dead_steps}
    return CellParameters(parameters, np.zeros(len(tau_m)), 1 / added(tau_s, tau_m, fine))


def _parameters(
    tau_m: FloatArray, tau_s: FloatArray, threshold: FloatArray
) -> dict[str, FloatArray | float]:
    same = {"cm": 1.0, "v_rest": 0.0, "v_reset": 0.0}
    return {**same, "tau_m": tau_m, "tau_syn_E": tau_s, "tau_syn_I": tau_s, "v_thresh": threshold}


def begins_with_a_spike(d: Integrator, begun: int) -> bool:
    """Return whether a bias is so low that `plain_cells` would begin with a spike."""
    return bool((_initial(d, begun) * d.membrane_decay + d.bias > d.threshold).any())


def _initial(d: Integrator, begun: int) -> FloatArray:
    """Return membranes that biases bring to 0 after so many steps."""
    kept = d.membrane_decay**begun
    return np.asarray(-d.bias * (1 - kept) / (1 - d.membrane_decay) / kept)


def added(tau_s: FloatArray, tau_m: FloatArray, ms: FloatArray | float) -> FloatArray:
    """Return the integral of ``exp(-(ms - t)/tau_m) exp(-t/tau_s)`` over *ms*."""
    rate = 1 / tau_m - 1 / tau_s
    flat = np.abs(rate) < 1e-9
    safe = np.where(flat, 1.0, rate)
    return np.asarray(np.exp(-ms / tau_m) * np.where(flat, ms, np.expm1(safe * ms) / safe))
