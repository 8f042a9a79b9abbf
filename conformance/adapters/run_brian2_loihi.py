"""Run test vectors on Brian2Loihi 0.5 (pip install brian2-loihi).

    python run_brian2_loihi.py OUT      then: python ../check.py OUT CASE...

It runs the cases that Brian2Loihi can hold and prints their names; of others it says what it lacks.
A population is a group for each neuron, as a group has one set of registers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import brian2
import brian2_loihi
import numpy as np

VECTORS = Path(__file__).parents[1] / "vectors"


def lacking(case):
    """Return what Brian2Loihi lacks for a case; None if it can run it."""
    if "overflow" in case["name"] or case["name"] == "lowest-voltage":
        return "registers have no ends"
    if any(set(p["bias"]) != {0} for p in case["populations"].values()):
        return "neurons have no bias"
    if any(p["noise"] != "none" for p in case["populations"].values()):
        return "the noise is its own"
    if any(p["exponent"] < -1 for p in case["projections"]):
        return "it clears the six lowest bits of a weight"
    if any("plastic" in p for p in case["projections"]):
        return "it has no PES"
    return None


def neuron(population, k):
    """Return the group of one neuron."""
    return brian2_loihi.LoihiNeuronGroup(
        1,
        refractory=population["refractory"][k] + 1,
        threshold_v_mant=population["threshold"][k] // 64,
        decay_v=population["voltage_decay"][k],
        decay_I=population["current_decay"][k] + 1,
    )


def play(case, arrays):
    """Return spikes, currents and voltages of a case."""
    groups, parts = {}, []
    for name in case["sources"]:
        steps, channels = np.nonzero(arrays[f"{name}.spikes"])
        size = case["sources"][name]
        groups[name] = [brian2_loihi.LoihiSpikeGeneratorGroup(size, channels, steps + 1)]
    for name, population in case["populations"].items():
        groups[name] = [neuron(population, k) for k in range(population["size"])]
    for p in case["projections"]:
        weights = arrays[f"{p['name']}.weights"].astype(int) // 2 ** (6 + p["exponent"])
        for j, post in enumerate(groups[p["post"]]):
            parts += connected(groups[p["pre"]], post, weights[:, j], p)
    found = {name: [monitored(group) for group in groups[name]] for name in case["populations"]}
    parts += [part for all_of in found.values() for monitors in all_of for part in monitors]
    parts += [group for all_of in groups.values() for group in all_of]
    brian2_loihi.LoihiNetwork(*parts).run(case["steps"])
    played = {}
    for name, monitors in found.items():
        spikes = np.zeros((case["steps"], len(monitors)), int)
        for k, (spiking, current, voltage) in enumerate(monitors):
            spikes[np.rint(np.asarray(spiking.t_) * 1000).astype(int), k] = 1
            played.setdefault(f"{name}.current", []).append(np.rint(current.I[0]).astype(int))
            played.setdefault(f"{name}.voltage", []).append(np.rint(voltage.v[0]).astype(int))
        played[f"{name}.spikes"] = spikes
    return {k: np.stack(v, axis=1) if isinstance(v, list) else v for k, v in played.items()}


def connected(pre, post, weights, projection):
    """Return the synapses of weights that aren't 0 onto one neuron."""
    if len(pre) == 1:  # a source, one group of all its channels
        ends = [(pre[0], np.flatnonzero(weights), weights[weights != 0])]
    else:
        ends = [(pre[i], np.array([0]), weights[i : i + 1]) for i in np.flatnonzero(weights)]
    made = []
    for group, channels, values in ends:
        synapses = brian2_loihi.LoihiSynapses(
            group,
            post,
            delay=projection["delay"] - 1,
            w_exp=projection["exponent"],
            sign_mode=brian2_loihi.synapse_sign_mode.MIXED,
        )
        synapses.connect(i=channels, j=np.zeros(len(channels), int))
        synapses.w = values
        made.append(synapses)
    return made


def monitored(group):
    """Return monitors of spikes, current and voltage."""
    return (
        brian2_loihi.LoihiSpikeMonitor(group),
        brian2_loihi.LoihiStateMonitor(group, "I"),
        brian2_loihi.LoihiStateMonitor(group, "v"),
    )


def main(arguments):
    """Write the results of all cases that Brian2Loihi can hold to a folder."""
    (out,) = arguments
    Path(out).mkdir(parents=True, exist_ok=True)
    brian2.prefs.codegen.target = "numpy"
    for path in sorted(VECTORS.glob("*.json")):
        case = {"name": path.stem, **json.loads(path.read_text())}
        reason = lacking(case)
        if reason is None:
            with np.load(path.with_suffix(".npz")) as file:
                np.savez(Path(out) / path.with_suffix(".npz").name, **play(case, dict(file)))
            print(path.stem)
        else:
            print(f"{path.stem}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
