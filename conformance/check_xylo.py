"""Check an implementation of Xylo's integer neurons against test vectors. Needs Python and NumPy.

    python check_xylo.py          check the files, and the model in this file against all of them
    python check_xylo.py FOLDER [CASE...]
                                  compare FOLDER/CASE.npz, what another implementation computed;
                                  of all cases unless some are named

A result may hold any of a case's expected arrays (``POPULATION.count``, ``.current``,
``.voltage``); those it holds must be equal in every entry, and ``POPULATION.count`` must be there.
Exit status 0: all equal; 1: not all; 2: wrong use.

Per step, all integers of 16 bits with sign; ``clip`` keeps a number within them, ``wrap`` drops
what is above, ``decay(x, s)`` is ``x >> s`` (towards minus infinity), or the sign of x where that
is 0::

    i = clip(i + w)               for each spike that arrives, one by one: projections in the
                                  order of the file, presynaptic neurons in theirs
    i = i - decay(i, shift_syn)                                              POPULATION.current
    v = clip(v + clip(clip(wrap(-decay(v, shift_mem)) + i) + bias))
    n = clip(floor(v / threshold), 0, most);  v = v - n threshold            POPULATION.count,
                                                                             POPULATION.voltage

What spikes in a step arrives in the next: a neuron that spiked n times adds its weight n times.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

VECTORS = Path(__file__).parent / "xylo"
EXPECTED = ("count", "current", "voltage")
LEAST, MOST = -(2**15), 2**15 - 1


def decay(x, shift):
    """Return what *x* loses in a step."""
    lost = x >> shift
    return np.where(lost == 0, np.sign(x), lost)


def load(name, folder=VECTORS):
    """Return a case: its description, and its arrays by name as int64."""
    case = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key].astype(np.int64) for key in file}
    return case, arrays


def digest(arrays):
    """Return the SHA-256 of arrays, by sorted names, as little-endian integers."""
    total = hashlib.sha256()
    for key in sorted(arrays):
        total.update(f"{key} {arrays[key].shape}".encode())
        total.update(np.ascontiguousarray(arrays[key], dtype="<i8").tobytes())
    return total.hexdigest()


def play(case, arrays):
    """Run the network of a case; return every expected array. This is the definition."""
    populations = {name: Neurons(p) for name, p in case["populations"].items()}
    counts = {name: np.zeros(size, np.int64) for name, size in case["sources"].items()}
    counts |= {name: np.zeros(n.size, np.int64) for name, n in populations.items()}
    rows = {}
    for t in range(case["steps"]):
        for p in case["projections"]:
            populations[p["post"]].add(counts[p["pre"]], arrays[f"{p['name']}.weights"])
        for name in case["sources"]:
            counts[name] = arrays[f"{name}.spikes"][t]
        for name, neurons in populations.items():
            counts[name] = neurons.step()
            rows.setdefault(f"{name}.count", []).append(counts[name])
            rows.setdefault(f"{name}.current", []).append(neurons.i.copy())
            rows.setdefault(f"{name}.voltage", []).append(neurons.v.copy())
    return {key: np.stack(values) for key, values in rows.items()}


class Neurons:
    """Hold a population: registers as arrays, current ``i``, voltage ``v``."""

    def __init__(self, description):
        """Start at rest."""
        self.size, self.most = description["size"], description["most"]
        for key in ("shift_syn", "shift_mem", "threshold", "bias"):
            setattr(self, key, np.array(description[key], np.int64))
        self.i, self.v = (np.zeros(self.size, np.int64) for _ in range(2))

    def add(self, counts, weights):
        """Let spikes arrive; weights are ``(n_pre, n_post)``."""
        for times, row in zip(counts.tolist(), weights, strict=True):
            for _ in range(times):
                self.i = np.clip(self.i + row, LEAST, MOST)

    def step(self):
        """Make one step; return how often each neuron spikes."""
        self.i = self.i - decay(self.i, self.shift_syn)
        back = (-decay(self.v, self.shift_mem) - LEAST) % 2**16 + LEAST
        change = np.clip(np.clip(back + self.i, LEAST, MOST) + self.bias, LEAST, MOST)
        self.v = np.clip(self.v + change, LEAST, MOST)
        count = np.clip(self.v // self.threshold, 0, self.most)
        self.v = self.v - count * self.threshold
        return count


def check_files(name):
    """Return what is wrong with a case's files, or with the model here; None: nothing."""
    case, arrays = load(name)
    if digest(arrays) != case["sha256"]:
        return "the arrays aren't those that were written"
    return compare(arrays, play(case, arrays), need_all=True)


def compare(expected, found, need_all=False):
    """Return the first difference of found arrays; None: there is none."""
    wanted = [key for key in sorted(expected) if key.rpartition(".")[2] in EXPECTED]
    for key in wanted:
        if key not in found:
            if need_all or key.endswith(".count"):
                return f"{key} is missing"
            continue
        values = np.asarray(found[key])
        if values.shape != expected[key].shape:
            return f"{key}: shape {values.shape}, not {expected[key].shape}"
        wrong = np.argwhere(values != expected[key])
        if len(wrong):
            t, neuron = wrong[0]
            got, want = values[t, neuron], expected[key][t, neuron]
            return f"{key}: step {t}, neuron {neuron}: {got}, not {want}"
    return None


def main(arguments):
    """Check what was asked for; return the exit status."""
    names = sorted(path.stem for path in VECTORS.glob("*.json"))
    folder = Path(arguments[0]) if arguments else None
    chosen = arguments[1:] or names
    if not set(chosen) <= set(names) or (folder is not None and not folder.is_dir()):
        print(f"no such folder or case; cases: {', '.join(names)}", file=sys.stderr)
        return 2
    status = 0
    for name in chosen:
        try:
            if folder is None:
                problem = check_files(name)
            else:
                with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
                    problem = compare(load(name)[1], {key: file[key] for key in file})
        except (OSError, ValueError) as exc:
            problem = f"can't be read: {exc}"
        status |= problem is not None
        print(f"{name}: {problem or 'equal'}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
