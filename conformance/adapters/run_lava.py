"""Run test vectors on Lava's fixed-point LIF and Dense (lava-nc 0.10; Python 3.10).

    python run_lava.py OUT      then: python ../check.py OUT CASE...

It runs the cases that this model can hold and prints their names; of others it says what it lacks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor

VECTORS = Path(__file__).parents[1] / "vectors"
REGISTERS = ("current_decay", "voltage_decay", "threshold", "bias", "refractory")


def lacking(case):
    """Return what Lava's LIF and Dense lack for a case; None if they can run it."""
    populations = list(case["populations"].values())
    if len(populations) > 1 or len(case["projections"]) > 1:
        return "this adapter joins one source and one population"
    if any(len(set(populations[0][key])) > 1 for key in REGISTERS):
        return "LIF has one set of registers for all neurons"
    if any(populations[0]["refractory"]):
        return "the fixed-point LIF has no dead steps"
    if populations[0]["noise"] != "none":
        return "LIF has no noise"
    if "plastic" in case["projections"][0]:
        return "Dense doesn't learn by PES"
    return None


def only(values):
    """Return the value that all neurons share."""
    (value,) = set(values)
    return value


def mantissa_and_exponent(number, most):
    """Return m and e with ``m * 2**e == number`` and ``|m| <= most``."""
    exponent = 0
    while abs(number) > most or (exponent < 0 and number % 2 == 0):
        number, exponent = number // 2, exponent + 1
    return number, exponent


def play(name):
    """Return spikes, currents and voltages of a case."""
    case = json.loads((VECTORS / f"{name}.json").read_text())
    with np.load(VECTORS / f"{name}.npz") as file:
        arrays = dict(file)
    ((population, cells),) = case["populations"].items()
    (projection,) = case["projections"]
    steps, size = case["steps"], cells["size"]
    weights = arrays[f"{projection['name']}.weights"].astype(int)
    mantissas = weights // 2 ** (6 + projection["exponent"])
    bias, bias_exponent = mantissa_and_exponent(only(cells["bias"]), 4095)
    source = Source(data=arrays[f"{projection['pre']}.spikes"].T.astype(int))
    dense = Dense(weights=mantissas.T, weight_exp=projection["exponent"], num_weight_bits=8)
    lif = LIF(
        shape=(size,),
        du=only(cells["current_decay"]),
        dv=only(cells["voltage_decay"]),
        bias_mant=bias,
        bias_exp=bias_exponent,
        vth=only(cells["threshold"]) // 64,
    )
    sink = Sink(shape=(size,), buffer=steps)
    source.s_out.connect(dense.s_in)
    dense.a_out.connect(lif.a_in)
    lif.s_out.connect(sink.a_in)
    monitors = {key: Monitor() for key in ("u", "v")}
    for key, monitor in monitors.items():
        monitor.probe(getattr(lif, key), steps)
    lif.run(RunSteps(num_steps=steps), Loihi2SimCfg(select_tag="fixed_pt"))
    found = {f"{population}.spikes": sink.data.get().T.astype(int)}
    for key, other in (("u", "current"), ("v", "voltage")):
        data = monitors[key].get_data()[lif.name][key]
        found[f"{population}.{other}"] = np.asarray(data).astype(int)
    lif.stop()
    return found


def main(arguments):
    """Write the results of all cases that Lava can hold to a folder."""
    (out,) = arguments
    Path(out).mkdir(parents=True, exist_ok=True)
    for path in sorted(VECTORS.glob("*.json")):
        reason = lacking(json.loads(path.read_text()))
        if reason is None:
            np.savez(Path(out) / f"{path.stem}.npz", **play(path.stem))
            print(path.stem)
        else:
            print(f"{path.stem}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
