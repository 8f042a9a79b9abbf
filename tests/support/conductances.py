"""Define neurons with conductances, what drives them, and how NEST runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl import Network, Population, Projection, Source
from neurorl.models import COBA_LIF, Equations

Array = npt.NDArray[Any]

RUNNER = Path(__file__).parents[1] / "witness" / "nest_neurons_run.py"
N_EXCITATORY, N_INHIBITORY, N_POST = 40, 10, 20

AEIF = Equations(
    """
    dv/dt = (gL*(EL - v) + gL*DT*exp((v - VT)/DT) + ge*(Ee - v) + gi*(Ei - v) - w + bias)/(C*1e-3)
    dw/dt = (a*(v - EL) - w)/tau_w
    dge/dt = -ge/tau_e
    dgi/dt = -gi/tau_i
    """,
    threshold="v > v_cut",
    reset="v = v_reset; w += b",
    method="euler",
    parameters={
        "C": 281.0,
        "gL": 30.0,
        "EL": -70.6,
        "VT": -50.4,
        "DT": 2.0,
        "Ee": 0.0,
        "Ei": -85.0,
        "bias": 400.0,
        "tau_w": 144e-3,
        "tau_e": 2e-3,
        "tau_i": 8e-3,
        "a": 4.0,
        "b": 80.5,
        "v_reset": -70.6,
        "v_cut": -40.4,
    },
    initial={"v": -70.6},
    inputs=("ge", "gi"),
)
"""Model AdEx with conductances, NEST's aeif_cond_exp."""


@dataclass(frozen=True)
class Drive:
    """Hold spikes and weights of excitatory and inhibitory neurons.

    rate: spikes a second of each. weights: the mean that a spike adds to ge, and to gi.
    """

    rate: float
    weights: tuple[float, float]

    def spikes(self, dt: float, seconds: float) -> dict[str, Array]:
        """Return rasters by source; the same spikes at any dt of which 0.1 ms is a multiple."""
        rng = np.random.default_rng(3)
        every = round(1e-4 / dt)
        made = {}
        for name, size in (("e", N_EXCITATORY), ("i", N_INHIBITORY)):
            coarse = rng.random((round(seconds / 1e-4), size)) < self.rate * 1e-4
            coarse[0] = False  # NEST has no spike at 0
            made[name] = np.zeros((len(coarse) * every, size), bool)
            made[name][::every] = coarse
        return made

    def network(self, neuron: Equations, dt: float) -> Network:
        rng = np.random.default_rng(4)
        names, sizes = ("e", "i"), (N_EXCITATORY, N_INHIBITORY)
        projections = [
            Projection(f"from_{x}", x, "cells", rng.uniform(0, 2 * w, (n, N_POST)), target=f"g{x}")
            for x, n, w in zip(names, sizes, self.weights, strict=True)
        ]
        sources = [Source(x, n) for x, n in zip(names, sizes, strict=True)]
        return Network((*sources, Population("cells", N_POST, neuron)), tuple(projections), dt)


DRIVES = {"aeif": Drive(80.0, (4.0, 8.0)), "coba": Drive(80.0, (0.15, 0.4))}
NEURONS = {"aeif": AEIF, "coba": COBA_LIF}


_NAMES = {
    "C_m": "C",
    "g_L": "gL",
    "E_L": "EL",
    "V_th": "VT",
    "Delta_T": "DT",
    "E_ex": "Ee",
    "E_in": "Ei",
    "a": "a",
    "b": "b",
    "V_reset": "v_reset",
    "V_peak": "v_cut",
}
_TIMES = {"tau_w": "tau_w", "tau_syn_ex": "tau_e", "tau_syn_in": "tau_i"}


def nest_parameters(neuron: Equations, capacity: float) -> dict[str, float]:
    """Return what NEST calls the parameters that a neuron has; *capacity*: pF, if it has none."""
    ours = neuron.parameters
    made = {theirs: ours[name] for theirs, name in _NAMES.items() if name in ours}
    made |= {theirs: 1e3 * ours[name] for theirs, name in _TIMES.items() if name in ours}
    if "C" not in ours:
        made |= {"C_m": capacity, "g_L": capacity / (1e3 * ours["tau_m"])}
    return {**made, "t_ref": 1e3 * float(neuron.refractory)}


def run_nest(case: dict[str, Any], arrays: dict[str, Array], folder: Path) -> dict[str, Array]:
    """Return what `nest_neurons_run.py` makes of one case."""
    named: dict[str, Any] = {f"{name}_0": value for name, value in arrays.items()}
    np.savez(folder / "in.npz", cases=json.dumps([case]), **named)
    command = [sys.executable, str(RUNNER), str(folder / "in.npz"), str(folder / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    out = np.load(folder / "out.npz")
    return {name: out[f"{name}_0"] for name in ("times", "senders", "v")}


def nest_of(
    name: str,
    neuron: Equations,
    dt: float,
    weights: dict[str, Array],
    spikes: dict[str, Array],
    folder: Path,
) -> tuple[list[Array], Array]:
    """Return the same of as many neurons as *weights* lead to, and their membranes at the end."""
    step, parameters = 1e3 * dt, nest_parameters(neuron, capacity=200.0)
    scale = 1.0 if "C" in neuron.parameters else parameters["g_L"]
    of_e, of_i = (scale * weights[f"from_{x}"] for x in ("e", "i"))
    trains = [
        step * (1 + np.flatnonzero(train))
        for train in np.concatenate([spikes["e"], spikes["i"]], axis=1).T
    ]
    times = np.full((len(trains), max(map(len, trains))), np.nan)
    for row, train in zip(times, trains, strict=True):
        row[: len(train)] = train
    case = {
        "model": {"aeif": "aeif_cond_exp", "coba": "iaf_cond_exp"}[name],
        "parameters": parameters,
        "resolution": round(step, 9),
        "duration": step * len(spikes["e"]),
        "start": neuron.initial["v"],
    }
    size = of_e.shape[1]
    current = np.full(size, neuron.parameters.get("bias", 0.0))
    all_weights = np.concatenate([of_e, -of_i])
    out = run_nest(case, {"current": current, "times": times, "weights": all_weights}, folder)
    return [np.sort(out["times"][out["senders"] == k]) / step for k in range(size)], out["v"]
