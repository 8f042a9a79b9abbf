"""Run neurons of NEST, in a process of its own: ``nest_neurons_run.py IN.npz OUT.npz``.

IN: ``cases``, JSON: a list of ``{"model", "parameters", "resolution", "duration", "start"}``, times
in ms, start the membrane's; and for each case k ``current_k``, pA of each neuron, ``times_k``, when
spikes of each presynaptic neuron arrive (ms, nan for none), and ``weights_k``, ``(n_pre, n_post)``,
those of inhibitory neurons negative, as NEST has them.
OUT: for each case ``times_k`` and ``senders_k`` of spikes, and ``v_k``, membranes at the end.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import nest
import numpy as np


def main(source: str, target: str) -> None:
    read = np.load(source)
    made = {}
    for k, case in enumerate(json.loads(str(read["cases"]))):
        arrays = [read[f"{name}_{k}"] for name in ("current", "times", "weights")]
        for name, values in run(case, *arrays).items():
            made[f"{name}_{k}"] = values
    np.savez(target, **made)


def run(case: dict[str, Any], current: Any, times: Any, weights: Any) -> dict[str, Any]:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    dt = case["resolution"]
    if abs(round(1e3 * dt) - 1e3 * dt) > 1e-9:  # times are in whole tics, of 1 us if not said
        nest.set(tics_per_ms=10000, resolution=dt)
    else:
        nest.resolution = dt
    n_post = len(current)
    cells = nest.Create(case["model"], n_post, case["parameters"])
    cells.I_e = current.tolist()
    cells.V_m = case["start"]
    if len(times):
        trains = [row[np.isfinite(row)] for row in times]
        sent = [{"spike_times": (t - dt).round(9).tolist()} for t in trains]  # a step on the way
        sources = nest.Create("spike_generator", len(trains), params=sent)
        nest.Connect(sources, cells, "all_to_all", {"weight": weights.T, "delay": dt})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(case["duration"])
    events = recorder.events
    senders = np.asarray(events["senders"]) - cells[0].global_id
    return {"times": np.asarray(events["times"]), "senders": senders, "v": np.array(cells.V_m)}


if __name__ == "__main__":
    main(*sys.argv[1:])
