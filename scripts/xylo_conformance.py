"""Make the test vectors in conformance/xylo: what Xylo's integer neurons do, step by step.

python scripts/xylo_conformance.py            make them again
python scripts/xylo_conformance.py --check    exit status 1 unless the files hold what would be made

Every case runs on the reference, and on the vendor's simulator where xylosim is installed. How
often neurons spike, currents and voltages of these, and of the model in conformance/check_xylo.py,
must be equal before a file is written; and what the cases are for must happen.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from xylo_windows import random_xylo_network

from conformance import FOLDER, checker, is_as_stored, only_checks, write
from experiments.conformance.played import Arrays
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import STATE_MAX
from neurorl.backends.base import Backend
from neurorl.backends.registry import load
from neurorl.backends.xylo.specification import lay_out
from neurorl.cli.status import exit_status
from neurorl.network.description import Network
from neurorl.testing import rasters

STEPS, CASES = 60, 20


def described(network: Network, backend: Backend) -> tuple[dict[str, Any], Arrays]:
    """Return the description of a case without its steps, and its weights."""
    arithmetic = backend.arithmetic
    assert isinstance(arithmetic, XyloArithmetic)
    populations = {
        name: {
            "size": len(chip.threshold),
            "most": chip.most,
            **{
                key: getattr(chip, key).tolist()
                for key in ("shift_syn", "shift_mem", "threshold", "bias")
            },
        }
        for name, chip in arithmetic.chip.populations.items()
    }
    projections, arrays = [], {}
    for name in lay_out(backend.simulated.network, arithmetic).wires:
        p = network.projection(name)
        projections.append({"name": name, "pre": p.pre, "post": p.post})
        sent = arithmetic.transmitted(name, backend.weights(name))
        synapses = network.synapses(name)
        arrays[f"{name}.weights"] = sent if synapses is None else synapses.dense(sent)
    sources = {source.name: source.size for source in network.sources}
    return {"sources": sources, "populations": populations, "projections": projections}, arrays


def played(network: Network, name: str, inputs: Arrays) -> Arrays:
    """Return counts, currents and voltages of each step on a backend."""
    rows: dict[str, list[Any]] = {}
    with load(name, network, arithmetic="xylo") as backend:
        for t in range(STEPS):
            backend.step({key: raster[t : t + 1] for key, raster in inputs.items()}, 1)
            state = backend.state()
            for p in network.populations:
                now = {
                    "count": state[f"{p.name}.release"][0],
                    "current": state[f"{p.name}.current"],
                    "voltage": state[f"{p.name}.voltage"],
                }
                for key, values in now.items():
                    rows.setdefault(f"{p.name}.{key}", []).append(values.astype(np.int64))
    return {key: np.stack(values) for key, values in rows.items()}


def make(number: int, check: Any) -> tuple[dict[str, Any], Arrays]:
    """Return a case's description and arrays. Raises AssertionError unless all agree."""
    network = random_xylo_network(number, number)
    inputs = rasters(network, STEPS, number, 0.3)
    with load("reference", network, arithmetic="xylo") as backend:
        case, arrays = described(network, backend)
    arrays = {key: np.asarray(values, dtype=np.int64) for key, values in arrays.items()}
    arrays |= {f"{key}.spikes": raster.astype(np.int64) for key, raster in inputs.items()}
    case["steps"] = STEPS
    expected = check.play(case, arrays)
    names = ["reference"] + ["xylo"] * (importlib.util.find_spec("xylosim") is not None)
    for name in names:
        for key, values in played(network, name, inputs).items():
            assert np.array_equal(expected[key], values), f"case {number}, {key} on {name}"
    arrays |= expected
    return case | {"sha256": check.digest(arrays)}, arrays


def touched(arrays: Arrays) -> dict[str, int]:
    """Count what cases are for: several spikes in a step, the most, and the limits of states."""
    counts = [a for key, a in arrays.items() if key.endswith(".count")]
    states = [a for key, a in arrays.items() if key.endswith((".current", ".voltage"))]
    return {
        "several spikes": sum(int((a > 1).sum()) for a in counts),
        "31 spikes": sum(int((a == 31).sum()) for a in counts),
        "membranes at a limit": sum(
            int(np.isin(a, (STATE_MAX, -STATE_MAX - 1)).sum()) for a in states
        ),
    }


@exit_status("xylo_conformance")
def main(arguments: list[str] | None = None) -> int:
    """Make or check all files; return the exit status."""
    check_only, check = only_checks(__doc__, arguments), checker("check_xylo")
    status, total = 0, dict[str, int]()
    for number in range(CASES):
        name = f"network-{number:02}"
        case, arrays = make(number, check)
        for event, count in touched(arrays).items():
            total[event] = total.get(event, 0) + count
        if check_only:
            status |= not is_as_stored(name, case, check)
        else:
            write(FOLDER / "xylo" / name, case, arrays)
    print(", ".join(f"{count:,} {event}" for event, count in total.items()))
    assert all(total.values())
    return status


if __name__ == "__main__":
    raise SystemExit(main())
