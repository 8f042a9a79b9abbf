"""Let NEST's own ``stdp_dopamine_synapse`` learn from spikes that were had elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Raster = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


def learned(
    spikes: Mapping[str, Raster],
    weights: Numbers,
    delay: int,
    n_steps: int,
    parameters: Mapping[str, float],
    every: int = 1,
    dt: float = 1.0,
) -> dict[str, Numbers]:
    """Return ``w``, ``c`` and ``n`` of each synapse after every window, ``(windows, pre, post)``.

    spikes: of ``pre``, ``post`` and ``dopamine``, ``(steps, n)``; one in row k is at k + 2 steps.
    weights: to begin with, ``(pre, post)``. delay: of the synapses, in steps. n_steps: of a window.
    parameters: of the synapse, by NEST's names. every: steps between deliveries of dopamine.
    dt: ms.
    """
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = dt
    nodes = {name: _parrots(nest, raster, dt) for name, raster in spikes.items()}
    dopamine = nest.Create("volume_transmitter", params={"deliver_interval": every})
    nest.Connect(nodes["dopamine"], dopamine, syn_spec={"delay": dt})
    nest.CopyModel(
        "stdp_dopamine_synapse", "learns", {"volume_transmitter": dopamine, **parameters}
    )
    # Receptor 1 of a parrot takes spikes without repeating them.
    how = {"synapse_model": "learns", "delay": delay * dt, "receptor_type": 1}
    how["weight"] = np.ascontiguousarray(weights.T)
    nest.Connect(nodes["pre"], nodes["post"], "all_to_all", how)
    synapses = nest.GetConnections(nodes["pre"], nodes["post"], "learns")
    first = nodes["pre"][0].global_id, nodes["post"][0].global_id
    at = np.array(synapses.source) - first[0], np.array(synapses.target) - first[1]
    made: dict[str, list[Numbers]] = {"w": [], "c": [], "n": []}
    with nest.RunManager():
        nest.Run(dt)  # spikes of row k are at k + 2 steps
        for _ in range(len(spikes["pre"]) // n_steps):
            nest.Run(n_steps * dt)
            for name, key in (("w", "weight"), ("c", "c"), ("n", "n")):
                values = np.zeros(weights.shape)
                values[at] = synapses.get(key)
                made[name].append(values)
    return {name: np.array(rows) for name, rows in made.items()}


def _parrots(nest, raster: Raster, dt: float):  # type: ignore[no-untyped-def]
    """Return neurons that spike as a raster says."""
    n = raster.shape[1]
    parrots, source = nest.Create("parrot_neuron", n), nest.Create("spike_generator", n)
    for neuron, times in zip(source, raster.T, strict=True):
        neuron.spike_times = [dt * (k + 1) for k in np.flatnonzero(times)]
    nest.Connect(source, parrots, "one_to_one", {"delay": dt})
    return parrots
