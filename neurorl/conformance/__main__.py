"""Run test vectors on a chip or its emulator, and write one report for its owner to send back.

    python -m neurorl.conformance loihi     Loihi where NxSDK is; else nengo-loihi's emulator
    python -m neurorl.conformance xylo      SynSense's simulator of Xylo, xylosim

The report, a JSON file, begins with lines to read. It has what ran, versions, the kind of machine,
times, and whether each vector was equal, or the first step that wasn't and by how much; no names of
machines, users and folders. Exit status 0: all equal; 1: not all.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import platform
import re
import statistics
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from neurorl._version import __version__
from neurorl.arithmetic.quantiser import MANTISSA_MAX
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.base import Backend
from neurorl.backends.plugins import installed_version
from neurorl.backends.registry import load
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.cli.status import exit_status
from neurorl.conformance.vectors import CHIPS, N_STEPS, TRACE, Vector, make_vector
from neurorl.errors import UnsupportedError, one_line
from neurorl.models.agent.writes import OnChip
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import Array
from neurorl.numerics.random import read_seed
from neurorl.storage.files import check_place, write_json
from neurorl.storage.plain import PlainData

Rows = dict[str, Array]
_COMMAND = "python -m neurorl.conformance"
_BACKENDS = {"loihi": "loihi:stock", "xylo": "xylo"}
_PACKAGES = ("numpy", "nengo", "nengo-loihi", "nxsdk", "xylosim", "samna", "rockpool")
_STATE = ("voltage", "current", "release", "spikes")
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:|~)?(?:[\\/][^\\/:*?'\",;()<>|\n]+){2,}")


def play(vector: Vector, spec: BackendSpec, chip: str) -> tuple[PlainData, Rows]:
    """Run a vector in a chip's integers; return what ran and seconds, and a row a step of arrays.

    ``POPULATION.spikes``, and of its state what can be read in every step. A backend without PES,
    as the reference, which is the definition, is given the weights that PES would come to.
    """
    rows, run_s = dict[str, list[Array]](), 0.0
    taught = vector.errors is not None and OnChip.name in spec.backend_class.capabilities.learnings
    options = OnChip(float(TRACE)).backend_options() if taught else {}
    begun = time.perf_counter()
    with load(spec, vector.network, arithmetic=chip, **options) as one:
        build_s, width = time.perf_counter() - begun, N_STEPS // 2
        with contextlib.suppress(UnsupportedError):  # a chip's state can't be read
            one.state()
            width = 1
        for t in range(0, N_STEPS, width):
            if vector.rewritten and t == N_STEPS // 2:
                for name, weights in vector.rewritten.items():
                    one.set_weights(name, weights)
                one.reset()
            begun = time.perf_counter()
            found = _advance(one, vector, slice(t, t + width), taught)
            run_s += time.perf_counter() - begun
            for key, values in found.items():
                rows.setdefault(key, []).append(values.astype(np.int64))
            if not taught:
                _teach(one, vector, t)
        target = getattr(one.simulator, "target", one.simulator.default_target())
    times = {"build_s": round(build_s, 6), "step_us": round(run_s / N_STEPS * 1e6, 3)}
    return {"target": target, **times}, {key: np.concatenate(x) for key, x in rows.items()}


def _advance(one: Backend, vector: Vector, now: slice, taught: bool) -> Rows:
    """Return spikes; of a single step also membranes, currents, and on Xylo counts of spikes."""
    inputs, n_steps = {x: raster[now] for x, raster in vector.inputs.items()}, now.stop - now.start
    errors = {"cells": vector.errors[now] / 127} if vector.errors is not None else {}
    found = one.learn(inputs, errors, n_steps) if taught else one.step(inputs, n_steps)
    state = one.state() if n_steps == 1 else {}
    keys = [f"{name}.{what}" for name in found for what in _STATE[:3]]
    read = {key: np.reshape(state[key], (1, -1)) for key in keys if key in state}
    return {f"{name}.spikes": raster for name, raster in found.items()} | read


def _teach(reference: Backend, vector: Vector, t: int) -> None:
    """Change weights as PES does: a mantissa loses x e / 512, where x is the trace, e the error."""
    if vector.errors is None or not vector.errors[t].any():
        return
    unit = ChipArithmetic(vector.network).chip.projections["drive"].unit
    trace = TRACE * vector.inputs["input"][t - 1].astype(np.int64)
    mantissas = reference.weights("drive") / unit - np.outer(trace, vector.errors[t]) / 512
    reference.set_weights("drive", unit * np.clip(mantissas, -MANTISSA_MAX, MANTISSA_MAX))


def first_difference(expected: Rows, found: Rows) -> PlainData | None:
    """Return the first entry that differs in what was found, with both numbers; None if none does.

    Of several arrays that differ in a step, membranes are named first, then currents.
    """
    wrong = []
    for key, values in found.items():
        if values.shape != expected[key].shape:
            return {"what": key, "shape": values.shape, "expected": expected[key].shape}
        places = np.argwhere(values != expected[key])
        if len(places):
            t, neuron = places[0].tolist()
            wrong.append((t, _STATE.index(key.rpartition(".")[2]), key, neuron, len(places)))
    if not wrong:
        return None
    t, _, key, neuron, count = min(wrong)
    got, want = (int(rows[key][t, neuron]) for rows in (found, expected))
    row = {"step": t, "what": key, "neuron": neuron, "got": got, "expected": want}
    return row | {"by": got - want, "entries_that_differ": count}


def without_paths(text: object) -> str:
    """Return a message in one line, with each path of two parts or more as ``PATH``."""
    return _PATH.sub("PATH", one_line(text))


def report(
    chip: str, backend: str | type[Simulator] = "", n_vectors: int = 200, seed: int = 0
) -> PlainData:
    """Return the report of a backend, by default of the chip, or of its vendor's own simulator.

    Raises BackendUnavailableError with what to install, DescriptionError for less than a vector.
    """
    spec, digest = BackendSpec.parse(backend or _BACKENDS[chip]), hashlib.sha256()
    cls = spec.backend_class  # raises where its simulator is missing
    name = cls.__name__ if spec.cls else without_paths(spec)
    made: PlainData = {"format": 1, "chip": chip, "backend": name, "seed": read_seed(seed)}
    made["versions"] = {"neurorl": __version__, "python": platform.python_version()}
    made["versions"] |= {name: installed_version(name) for name in _PACKAGES}
    made["host"] = {"system": platform.system(), "machine": platform.machine()}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made["vectors"] = []
        for number in range(positive("vectors", n_vectors)):
            vector = make_vector(chip, number, seed)
            expected = play(vector, BackendSpec("reference"), chip)[1]
            for key, values in [*vector.inputs.items(), *sorted(expected.items())]:
                digest.update(key.encode() + np.ascontiguousarray(values, "<i8").tobytes())
            row = {"vector": number, "learns": number % 2 == 1}
            made["vectors"].append(row | _result(vector, spec, chip, expected))
    made["notes"] = sorted({without_paths(one.message) for one in caught})
    made["sha256_of_vectors"] = digest.hexdigest()
    return {"read": lines_of(made), **made}


def _result(vector: Vector, spec: BackendSpec, chip: str, expected: Rows) -> PlainData:
    """Return what became of one vector."""
    try:
        ran, found = play(vector, spec, chip)
    except Exception as exc:  # the report of a board that fails is worth having, too
        why = without_paths(f"{type(exc).__name__}: {exc}")
        return {"result": "refused", "first": {"refused": why}}
    first = first_difference(expected, found)
    return {"result": "differs" if first else "equal", "first": first, "compared": [*found], **ran}


def lines_of(made: PlainData) -> list[str]:
    """Return a report in lines to read: what ran, a summary, times, and what wasn't equal."""
    rows = made["vectors"]
    ran = ", ".join(sorted({row["target"] for row in rows if "target" in row})) or "nothing"
    versions = ", ".join(f"{name} {n}" for name, n in made["versions"].items() if n)
    lines = [f"{made['chip']}: backend {made['backend']} on {ran}; {versions}"]
    for learns in (False, True):
        results = Counter(row["result"] for row in rows if row["learns"] is learns)
        counted = ", ".join(f"{n} {result}" for result, n in sorted(results.items()))
        lines.append(f"learning {'on' if learns else 'off'}: {counted} of {results.total()}")
    times = sorted(row["step_us"] for row in rows if "step_us" in row)
    if times:
        median = statistics.median(times)
        lines.append(f"a step: median {median:.1f} us, {times[0]:.1f} to {times[-1]:.1f}")
    for row in (row for row in rows if row["first"]):
        told = ", ".join(f"{key} {value}" for key, value in row["first"].items())
        lines.append(f"vector {row['vector']}: {told}")
    return [*lines, *(f"note: {note}" for note in made["notes"])]


@exit_status(_COMMAND)
def main(arguments: list[str] | None = None) -> int:
    """Write the report that the command line asks for, and print its first lines."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(_COMMAND, description=__doc__, formatter_class=form)
    parser.add_argument("chip", choices=CHIPS)
    parser.add_argument("--backend", default="", help="another backend with the chip's integers")
    parser.add_argument("--vectors", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the report, conformance-CHIP.json")
    options = parser.parse_args(arguments)
    out = options.out or Path(f"conformance-{options.chip}.json")
    check_place(out, "report")
    made = report(options.chip, options.backend, options.vectors, options.seed)
    write_json(out, made)
    print("\n".join(made["read"]))
    return int(any(row["result"] != "equal" for row in made["vectors"]))


if __name__ == "__main__":
    raise SystemExit(main())
