"""Run a rule's models of NESTML in NEST: ``nestml_worker.py FOLDER``, with the job in ``job.npz``.

A spike of row k of a raster is at k + 2 steps in NEST, those of neurons too. A reward is a spike of
the volume transmitter that synapses hear at the last step of its window.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import nest
import numpy as np

from neurorl_nest.nestml_build import NEURON, SYNAPSE

LATER = 2  # steps from a row to the spike in NEST


def main(folder: Path) -> None:
    """Do the job, and write ``made.npz``: spikes, and what was read, ``(windows, pre, post)``."""
    with np.load(folder / "job.npz") as read:
        arrays = {name: read[name] for name in read.files}
    job = json.loads(str(arrays["job"]))
    _install(job)
    dt, n = job["resolution"], arrays[f"weights.{job['learns']}"].shape
    sources = {
        name.removeprefix("raster."): _parrots([np.flatnonzero(x) for x in raster.T], dt)
        for name, raster in arrays.items()
        if name.startswith("raster.")
    }
    cells = nest.Create(f"{NEURON}__with_{SYNAPSE}", n[1])
    for name, values in job["values"].items():
        cells.set({name: values})
    ends = np.cumsum(job["windows"]) - 2
    transmitter = nest.Create("volume_transmitter", params={"deliver_interval": 1})
    nest.Connect(_parrots([ends], dt), transmitter, syn_spec={"delay": dt})
    nest.CopyModel(f"{SYNAPSE}__with_{NEURON}", "learns", {"volume_transmitter": transmitter})
    for name, (pre, delay) in job["ends"].items():
        learns, weights = name == job["learns"], np.ascontiguousarray(arrays[f"weights.{name}"].T)
        how = {"synapse_model": "learns", "w": weights} if learns else {"weight": weights}
        nest.Connect(sources[pre], cells, "all_to_all", {**how, "delay": delay * dt})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    before = sources[job["ends"][job["learns"]][0]]
    made = _lessons(job, nest.GetConnections(before, cells), before, cells, n)
    spikes = np.zeros((sum(job["windows"]), n[1]), dtype=bool)
    rows = np.rint(np.asarray(recorder.events["times"]) / dt).astype(int) - LATER
    at = rows < len(spikes)
    who = np.asarray(recorder.events["senders"]) - cells[0].global_id
    spikes[rows[at], who[at]] = True
    np.savez(folder / "made.npz", spikes=spikes, **made)


def _lessons(job: Any, synapses: Any, before: Any, cells: Any, n: tuple[int, int]) -> Any:
    at = np.array(synapses.source) - before[0].global_id
    to = np.array(synapses.target) - cells[0].global_id
    made: dict[str, list[Any]] = {name: [] for name in job["read"]}
    with nest.RunManager():
        nest.Run(job["resolution"])
        for n_steps, rewards in zip(job["windows"], job["rewards"], strict=True):
            if rewards:
                synapses.set(rewards)
            nest.Run(n_steps * job["resolution"])
            for name, rows in made.items():
                rows.append(np.zeros(n))
                rows[-1][at, to] = synapses.get(name)
    return {name: np.array(rows) for name, rows in made.items()}


def _install(job: Any) -> None:
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = job["resolution"]
    kernel = importlib.import_module("nest.nestkernel_api").__file__
    ctypes.CDLL(kernel, mode=ctypes.RTLD_GLOBAL)  # whose names the models need
    nest.Install(job["library"])


def _parrots(rows: Any, dt: float) -> Any:
    """Return neurons that spike at these rows, a list for each."""
    parrots, source = (
        nest.Create("parrot_neuron", len(rows)),
        nest.Create("spike_generator", len(rows)),
    )
    for neuron, steps in zip(source, rows, strict=True):
        neuron.spike_times = [dt * (k + LATER - 1) for k in steps]
    nest.Connect(source, parrots, "one_to_one", {"delay": dt})
    return parrots


if __name__ == "__main__":
    main(Path(sys.argv[1]))
