"""Run NEST's stdp_dopamine_synapse, in a process of its own: ``nest_run.py IN.npz OUT.npz``.

IN: ``trials``, JSON: a list of ``{"delay", "duration", "weight", "tau_minus", "synapse"}``, times
in ms; and for each trial k rasters ``pre_k``, ``post_k``, ``dopamine_k`` of a ms a step, step t
being the time t + 1 at which a spike leaves its neuron (of dopamine: numbers of spikes).
OUT: for each trial ``c_k``, ``n_k``, ``weight_k`` of shape ``(duration, n_pre, n_post)``: what the
synapses have in store after each ms.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import nest
import numpy as np


def main(source: str, target: str) -> None:
    given = np.load(source)
    found = {}
    for k, trial in enumerate(json.loads(str(given["trials"]))):
        rasters = [given[f"{name}_{k}"] for name in ("pre", "post", "dopamine")]
        for name, values in run(trial, *rasters).items():
            found[f"{name}_{k}"] = values
    np.savez(target, **found)


def run(trial: dict[str, Any], pre: Any, post: Any, dopamine: Any) -> dict[str, Any]:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = 1.0
    pre_cells = nest.Create("parrot_neuron", pre.shape[1])
    post_cells = nest.Create("parrot_neuron", post.shape[1], {"tau_minus": trial["tau_minus"]})
    dopamine_cell = nest.Create("parrot_neuron", 1)
    for cells, raster in ((pre_cells, pre), (post_cells, post), (dopamine_cell, dopamine)):
        nest.Connect(generators(raster), cells, "one_to_one")  # a spike takes 1 ms to the neuron
    transmitter = nest.Create("volume_transmitter")
    nest.Connect(dopamine_cell, transmitter, syn_spec={"delay": 1.0})
    synapse = {"volume_transmitter": transmitter, **trial["synapse"]}
    nest.CopyModel("stdp_dopamine_synapse", "witness", synapse)
    # A parrot repeats what comes to its receptor 0 and only listens at receptor 1.
    spec = {"synapse_model": "witness", "delay": trial["delay"], "weight": trial["weight"]}
    nest.Connect(pre_cells, post_cells, "all_to_all", {**spec, "receptor_type": 1})
    synapses = nest.GetConnections(pre_cells, post_cells, "witness")
    i = np.array(synapses.get("source")) - pre_cells[0].global_id
    j = np.array(synapses.get("target")) - post_cells[0].global_id
    shape = (trial["duration"], pre.shape[1], post.shape[1])
    found = {name: np.full(shape, np.nan) for name in ("c", "n", "weight")}
    with nest.RunManager():
        for step in range(trial["duration"]):
            nest.Run(1.0)
            for name, values in synapses.get(list(found)).items():
                found[name][step, i, j] = values
    return found


def generators(raster: Any) -> Any:
    """Make generators whose spikes leave the neurons behind them at the times of a raster."""
    made = []
    for column in raster.T:
        steps = column.nonzero()[0]
        if len(steps) and steps[0] < 1:
            raise ValueError("a neuron behind a generator has no spike in the first step")
        times, counts = [float(step) for step in steps], [int(n) for n in column[steps]]
        spikes = {"spike_times": times, "spike_multiplicities": counts}
        made.append(spikes if times else {})
    return nest.Create("spike_generator", len(made), params=made)


if __name__ == "__main__":
    main(*sys.argv[1:])
