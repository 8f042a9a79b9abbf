"""Make the test vectors in conformance/: what Loihi's integer neurons do, step by step.

python scripts/conformance.py            make them again
python scripts/conformance.py --check    exit status 1 unless the files hold what would be made

Every case runs on nengo-loihi's own emulator (its loops, not ours) and on the reference backend.
All spikes, currents and voltages of both, and of the model in conformance/check.py, must be equal
before a file is written; and what a case is for must happen in it, such as a sum that overflows.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from experiments.conformance.cases import CASES, Case
from experiments.conformance.played import Arrays, describe, play
from neurorl.cli.status import exit_status
from neurorl.storage.files import write_bytes, write_json

FOLDER = Path(__file__).parents[1] / "conformance"


def checker(name: str = "check") -> ModuleType:
    """Return the program conformance/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(f"conformance_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@exit_status("conformance")
def main(arguments: list[str] | None = None) -> int:
    """Make or check all files; return the exit status."""
    check_only, check, status = only_checks(__doc__, arguments), checker(), 0
    for name, case in CASES.items():
        data, arrays, events = make(case, check)
        if check_only:
            status |= not is_as_stored(name, data, check)
            continue
        write(FOLDER / "vectors" / name, data, arrays)
        print(f"{name}: " + ", ".join(f"{count} {event}" for event, count in events.items()))
    return status


def only_checks(description: str | None, arguments: list[str] | None) -> bool:
    """Return whether a command's arguments say ``--check``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    return bool(parser.parse_args(arguments).check)


def is_as_stored(name: str, data: dict[str, Any], check: Any) -> bool:
    """Say, and return, whether a case's files hold its description and arrays of its digest."""
    stored, stored_arrays = check.load(name)
    is_same = bool(stored == data and check.digest(stored_arrays) == data["sha256"])
    print(f"{name}: {'as stored' if is_same else 'DIFFERS from what is stored'}")
    return is_same


def write(path: Path, data: dict[str, Any], arrays: Arrays) -> None:
    """Write a case's description and arrays as *path* with .json and .npz."""
    write_json(path.with_suffix(".json"), data)
    write_bytes(path.with_suffix(".npz"), packed(arrays))


def make(case: Case, check: Any) -> tuple[dict[str, Any], Arrays, dict[str, int]]:
    """Return a case's description and arrays, and how often what it is for happened.

    Raises AssertionError unless all agree and each of its events happened.
    """
    data, arrays = describe(case)
    given, expected = play(case)
    arrays |= given
    model = check.play(data, arrays)
    for key, values in expected.items():
        assert np.array_equal(model[key], values), f"{key} of the model in check.py"
    arrays |= model
    data["expected"] = sorted(model)
    data["sha256"] = check.digest(arrays)
    events = {event: count(event, data, arrays) for event in case.events}
    assert all(events.values()), events
    return data, arrays, events


def count(event: str, data: dict[str, Any], arrays: Arrays) -> int:
    """Return how often something happened in a case."""
    match event:
        case "spikes":
            return sum(int(arrays[f"{name}.spikes"].sum()) for name in data["populations"])
        case "noise":
            return sum(int((a != 0).sum()) for k, a in arrays.items() if k.endswith(".noise"))
        case "exponents":
            return len({p["exponent"] for p in data["projections"]})
        case "weights change":
            return int((np.diff(arrays["drive.learned"], axis=0) != 0).sum())
        case "lowest voltage":
            return int((arrays["cells.voltage"] == -(2**23 - 1)).sum())
    cells = data["populations"]["cells"]
    spikes = arrays["input.spikes"]
    sums = np.vstack([np.zeros(cells["size"], int), spikes[:-1] @ arrays["drive.weights"]])
    if event == "sum wraps":
        return int((sums != arrays["cells.input"]).sum())
    if event == "dead steps":
        dead = np.array(cells["refractory"]) * arrays["cells.spikes"]
        return int(dead.sum())
    if event == "current wraps":
        u = arrays["cells.current"]
        before = np.vstack([np.zeros(cells["size"], int), u[:-1]])
        factor = 4095 - np.array(cells["current_decay"])
        kept = np.sign(before) * ((np.abs(before) * factor) >> 12)
        return int((kept + arrays["cells.input"] != u).sum())
    if event == "at threshold":
        return int((arrays["cells.voltage"] == np.array(cells["threshold"])).sum())
    raise AssertionError(event)


def packed(arrays: Arrays) -> bytes:
    """Return arrays as a compressed npz file, integers in as few bytes as hold them."""
    file = io.BytesIO()
    small = {key: _small(value) for key, value in sorted(arrays.items())}
    np.savez_compressed(file, **small)
    return file.getvalue()


def _small(array: Any) -> Any:
    if array.dtype.kind == "f":
        return array
    for kind in (np.int8, np.int16, np.int32):
        if np.abs(array).max() <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


if __name__ == "__main__":
    raise SystemExit(main())
