"""Choose the constants of PyNN's cells so that they have the description's membranes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from neurorl.network.integrator import Integrator
from neurorl.numerics.arrays import FloatArray

__all__ = ["CellParameters", "added", "begins_with_a_spike", "plain_cells", "pulsed_cells", "tiled"]

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
    dead: as in `neurorl.pynn.lags.PyNNTarget`.
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
    parameters = {
        **_parameters(tau_m, tau_s, d.threshold + lift),
        "tau_refrac": np.asarray((d.refractory_steps * substeps + 1 + dead) * fine),
    }
    return CellParameters(parameters, np.zeros(len(tau_m)), 1 / added(tau_s, tau_m, fine))


def _parameters(
    tau_m: FloatArray, tau_s: FloatArray, threshold: FloatArray
) -> dict[str, FloatArray | float]:
    return {
        "cm": 1.0,
        "v_rest": 0.0,
        "v_reset": 0.0,
        "tau_m": tau_m,
        "tau_syn_E": tau_s,
        "tau_syn_I": tau_s,
        "v_thresh": threshold,
    }


def begins_with_a_spike(d: Integrator, begun: int) -> bool:
    """Return whether a bias is so low that `plain_cells` would begin with a spike."""
    return bool((_initial(d, begun) * d.membrane_decay + d.bias > d.threshold).any())


def _initial(d: Integrator, begun: int) -> FloatArray:
    """Return membranes that biases bring to 0 after so many steps."""
    kept = d.membrane_decay**begun
    return np.asarray(-d.bias * (1 - kept) / (1 - d.membrane_decay) / kept)


def tiled(integrator: Integrator, replicas: int) -> Integrator:
    """Return the constants of so many populations side by side."""
    arrays = {f.name: np.tile(getattr(integrator, f.name), replicas) for f in fields(integrator)}
    return Integrator(**arrays)


def added(tau_s: FloatArray, tau_m: FloatArray, ms: FloatArray | float) -> FloatArray:
    """Return the integral of ``exp(-(ms - t)/tau_m) exp(-t/tau_s)`` over *ms*."""
    rate = 1 / tau_m - 1 / tau_s
    flat = np.abs(rate) < 1e-9
    safe = np.where(flat, 1.0, rate)
    whole = np.where(flat, ms, np.expm1(safe * ms) / safe)
    return np.asarray(np.exp(-ms / tau_m) * whole)
