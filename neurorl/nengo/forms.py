"""Translate nengo's LIF neurons to steps that every backend runs, or to nengo's equations."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.models import CubaLIF, Equations
from neurorl.nengo.imported import load_nengo
from neurorl.network.neuron import Neuron
from neurorl.numerics.arrays import FloatArray

_RESTS = {
    "LIF": "r = tau_ref + dt + tau_rc*log(1 - (v - 1)/(J - 1)); v = 0",
    "LoihiLIF": "r = tau_ref + dt; v = 0",
    "AdaptiveLIF": "r = tau_ref + dt + tau_rc*log(1 - (v - 1)/(J - 1)); v = 0; n += jump",
}


@dataclass(frozen=True)
class EnsembleNeurons:
    """Hold an ensemble's neurons as nengo built them.

    kind: class of nengo's neuron type, a key of `_RESTS`. lif: the type itself. bias, voltage: bias
    and initial voltage of each neuron. taus: distinct time constants of their synapses, s.
    """

    name: str
    kind: str
    lif: Any
    bias: FloatArray
    voltage: FloatArray
    taus: tuple[float, ...]
    dt: float

    @property
    def tau_rc(self) -> float:
        """Return the time constant of the membrane, as nengo's step uses it."""
        if self.kind != "LoihiLIF":
            return float(self.lif.tau_rc)
        neurons = importlib.import_module("nengo_loihi.neurons")
        return float(neurons.discretize_tau_rc(self.lif.tau_rc, self.dt))

    @property
    def tau_ref(self) -> float:
        """Return the refractory period in seconds, as nengo's step uses it."""
        whole = self.dt * round(self.lif.tau_ref / self.dt)
        return whole if self.kind == "LoihiLIF" else float(self.lif.tau_ref)

    def decay(self, tau: float) -> float:
        """Return the share that a synapse keeps in a step; nengo takes 0 for the shortest."""
        return float(np.exp(-self.dt / tau)) if tau > 0.03 * self.dt else 0.0


def read_cells(
    ensemble: Any, name: str, simulator: Any, taus: tuple[float, ...], dt: float
) -> EnsembleNeurons:
    """Return the neurons of *ensemble*. Raises UnsupportedError for neurons of another kind."""
    lif, known = ensemble.neuron_type, load_nengo().LIF
    kind = type(lif).__name__
    if not isinstance(lif, known) or kind not in _RESTS:
        limit = ", ".join(_RESTS)
        raise UnsupportedError(f"from_nengo, {name}", "another neuron", got=lif, limit=limit)
    signals = simulator.model.sig[ensemble.neurons]
    return EnsembleNeurons(
        name=name,
        kind=kind,
        lif=lif,
        bias=np.array(simulator.data[ensemble].bias, dtype=np.float64),
        voltage=np.array(simulator.signals[signals["voltage"]], dtype=np.float64),
        taus=taus,
        dt=dt,
    )


def is_whole_step(cells: EnsembleNeurons) -> bool:
    """Return whether nengo, too, counts the refractory period of these neurons in whole steps."""
    return cells.kind == "LoihiLIF"


def step_form(cells: EnsembleNeurons) -> tuple[Neuron, float]:
    """Return a CubaLIF for neurons with one synaptic time constant, and the factor of weights.

    Raises UnsupportedError for features that a CubaLIF doesn't have.
    """
    where, remedy = f"from_nengo, {cells.name}", "take discretisation='equations'"
    if cells.kind == "AdaptiveLIF":
        raise UnsupportedError(where, "an adapting neuron", got=cells.lif, remedy=remedy)
    if len(cells.taus) > 1:
        what, got = "synapses of several time constants", ", ".join(f"{t:g}" for t in cells.taus)
        raise UnsupportedError(where, what, got=got, limit=1, remedy=remedy)
    tau_syn = cells.taus[0] if cells.taus and cells.decay(cells.taus[0]) else 0.0
    gain = -float(np.expm1(-cells.dt / cells.tau_rc))
    neuron = CubaLIF(
        tau_syn=tau_syn,
        tau_mem=cells.tau_rc,
        threshold=1.0,
        bias=gain * cells.bias,
        refractory=cells.tau_ref,
    )
    return neuron, gain * (1.0 - cells.decay(tau_syn))


def equation_form(cells: EnsembleNeurons) -> Equations:
    """Return nengo's own step of these neurons, with inputs ``q0``, ... for the time constants."""
    numbers = range(len(cells.taus) or 1)
    taus = cells.taus or (0.0,)
    adapts = cells.kind == "AdaptiveLIF"
    lines = [f"f{k} = a{k}*f{k} + b{k}*q{k}" for k in numbers]
    drive = " + ".join(f"f{k}" for k in numbers)
    lines += (
        [f"J = bias + {drive} - n", "n = n - dt/tau_n*n"] if adapts else [f"J = bias + {drive}"]
    )
    lines += ["r = r - dt", "d = clip(dt - r, 0, dt)", "v = v - (J - v)*(exp(-d/tau_rc) - 1)"]
    parameters: dict[str, Any] = {
        "bias": cells.bias,
        "tau_rc": cells.tau_rc,
        "tau_ref": cells.tau_ref,
        **{f"a{k}": cells.decay(tau) for k, tau in enumerate(taus)},
        **{f"b{k}": 1.0 - cells.decay(tau) for k, tau in enumerate(taus)},
    }
    initial: dict[str, Any] = {"v": cells.voltage, "r": 0.0, "J": 0.0, "d": 0.0}
    initial |= {f"f{k}": 0.0 for k in numbers}
    if np.isfinite(cells.lif.min_voltage):
        lines.append("v = max(v, floor_v)")
        parameters["floor_v"] = float(cells.lif.min_voltage)
    if adapts:
        initial["n"] = 0.0
        parameters["tau_n"] = float(cells.lif.tau_n)
        jump = cells.lif.inc_n * cells.lif.amplitude / cells.lif.tau_n
        parameters["jump"] = float(jump)
    return Equations(
        "\n".join(lines),
        threshold="v > 1",
        reset=_RESTS[cells.kind],
        parameters=parameters,
        initial=initial,
        held=(),
        inputs=tuple(f"q{k}" for k in numbers),
    )
