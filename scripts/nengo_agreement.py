"""Compare random nengo networks with what `neurorl.nengo` makes of them, spike by spike.

    python scripts/nengo_agreement.py --networks 100 --out docs/nengo.json

A row for each discretisation: cells (neurons and steps), spikes of nengo's or nengo-loihi's own
simulator, spikes of ours, and cells that differ.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import neurorl
from neurorl.nengo import from_nengo, lower_floors
from neurorl.nengo.imported import load_nengo, load_nengo_loihi

STEPS = 300
ROWS = ("LoihiLIF steps", "LIF equations", "AdaptiveLIF equations", "chip nengo", "LIF steps")


def spiking_network(seed: int, kind: str, has_floor: bool) -> Any:
    """Return three ensembles that a Node of spikes drives, each connected to each."""
    nengo, loihi = load_nengo(), load_nengo_loihi()
    rng = np.random.default_rng(seed)
    taus = [0.005, 0.01, 0.0] if has_floor else [float(rng.choice([0.0, 0.004, 0.01]))] * 3
    heights = (rng.random((STEPS + 1, 8)) < 0.1) * 1000.0
    cls = loihi.neurons.LoihiLIF if kind == "LoihiLIF" else getattr(nengo, kind)
    with nengo.Network(seed=seed) as network:
        node = nengo.Node(lambda t: heights[round(t / 1e-3) - 1], label="input")
        ensembles = []
        for k in range(3):
            more = {"tau_n": 0.1, "inc_n": 0.01} if kind == "AdaptiveLIF" else {}
            neuron = cls(
                tau_rc=rng.uniform(0.01, 0.04),
                tau_ref=rng.uniform(0.001, 0.005),
                min_voltage=0 if has_floor else -np.inf,
                **more,
            )
            n = int(rng.integers(5, 30))
            own = {
                "gain": rng.uniform(0.5, 1.5, n),
                "bias": rng.uniform(-0.5, 1.2, n),
                "label": f"cells{k}",
            }
            ensembles.append(nengo.Ensemble(n, 1, neuron_type=neuron, **own))
        for post in ensembles:
            synapse = nengo.Lowpass(taus[0])
            weights = rng.uniform(-0.02, 0.04, (post.n_neurons, 8))
            nengo.Connection(node, post.neurons, synapse=synapse, transform=weights)
            for pre in ensembles:
                weights = rng.uniform(-0.01, 0.01, (post.n_neurons, pre.n_neurons))
                synapse = nengo.Lowpass(taus[int(rng.integers(3))])
                nengo.Connection(pre.neurons, post.neurons, synapse=synapse, transform=weights)
            nengo.Probe(post.neurons)
    return network


def chip_network(seed: int) -> Any:
    """Return ensembles on the chip that values drive, with weights of a solver or of chance."""
    nengo, loihi = load_nengo(), load_nengo_loihi()
    rng = np.random.default_rng(seed)
    kinds = (nengo.LIF, loihi.neurons.LoihiLIF)
    rate = float(rng.uniform(5, 25))
    with nengo.Network(seed=seed) as network:
        stimulus = nengo.Node(lambda t: np.sin(rate * t))
        ensembles = []
        for _ in range(int(rng.integers(1, 4))):
            neuron = kinds[int(rng.integers(2))](
                tau_rc=rng.uniform(0.01, 0.05), tau_ref=rng.uniform(0.001, 0.004)
            )
            rates = nengo.dists.Uniform(80, 200)
            n = int(rng.integers(8, 40))
            ensembles.append(nengo.Ensemble(n, 1, neuron_type=neuron, max_rates=rates))
        nengo.Connection(stimulus, ensembles[0], synapse=float(rng.uniform(0.003, 0.02)))
        for pre in ensembles:
            for post in ensembles:
                way = rng.integers(4)
                tau = float(rng.uniform(0.003, 0.02))
                if way == 0:
                    solver = nengo.solvers.LstsqL2(weights=True)
                    nengo.Connection(pre, post, synapse=tau, solver=solver)
                elif way == 1:
                    weights = rng.uniform(-0.003, 0.004, (post.n_neurons, pre.n_neurons))
                    nengo.Connection(pre.neurons, post.neurons, synapse=tau, transform=weights)
            nengo.Probe(pre.neurons)
    return network


def compare(row: str, seed: int, backend: str = "reference") -> tuple[int, int, int, int]:
    """Return cells, spikes of theirs and of ours, and cells that differ, of one network."""
    kind, discretisation = row.split()
    is_chip = discretisation == "nengo"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what nengo-loihi says of bits that it loses
        if is_chip:
            network = chip_network(seed)
            lower_floors(network)
            simulator = load_nengo_loihi().Simulator(network, target="sim", progress_bar=False)
        else:
            network = spiking_network(seed, kind, has_floor=discretisation == "equations")
            simulator = load_nengo().Simulator(network, progress_bar=False)
        with simulator:
            simulator.run_steps(STEPS)
        imported = from_nengo(network, discretisation)
        inputs = imported.inputs(STEPS)
    name = f"{backend}:loihi" if is_chip else backend
    with neurorl.load(name, imported.network, record=imported.record) as ours:
        rasters = ours.step(inputs, STEPS)
    cells = spikes = ours_too = differing = 0
    for probe in imported.probes:
        theirs, own = simulator.data[probe] > 0, imported.spikes(probe, rasters)
        cells, spikes = cells + theirs.size, spikes + int(theirs.sum())
        ours_too += int(own.sum())
        differing += int((theirs != own).sum())
    return cells, spikes, ours_too, differing


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--backend", default="reference")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for row in ROWS:
        sums = np.sum(
            [compare(row, seed, options.backend) for seed in range(options.networks)], axis=0
        )
        if not sums[1]:
            raise SystemExit(f"{row}: no spike in {options.networks} networks: nothing is compared")
        names = ("cells", "spikes", "spikes_here", "differing")
        rows.append({"row": row, **dict(zip(names, sums.tolist(), strict=True))})
        print(f"{row:24} {options.networks} networks", *sums, flush=True)
    if options.out:
        options.out.write_text(json.dumps({"networks": options.networks, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
