"""Check an implementation of Loihi's integer neurons against test vectors. Needs Python and NumPy.

    python check.py               check the files, and the model in this file against all of them
    python check.py FOLDER [CASE...]
                                  compare FOLDER/CASE.npz, what another implementation computed;
                                  of all cases unless some are named

A result may hold any of a case's expected arrays (``POPULATION.spikes``, ``.current``,
``.voltage``, ``.input``, ``PROJECTION.trace``, ``.learned``); those it holds must be equal in every
entry, and ``POPULATION.spikes`` must be there. Exit status 0: all equal; 1: not all; 2: wrong use.

Per step, all integers; ``left(x, f)`` is ``sign(x) (|x| f >> 12)``, rounded towards zero, and
``wrap(x, b)`` what a register of b bits and a sign holds::

    q = wrap(sum of weights of arriving spikes, 21)                          POPULATION.input
    u = wrap(left(u, 4095 - current_decay) + q, 23)                          POPULATION.current
    v = left(v, 4096 - voltage_decay) + wrap(u + bias + noise, 23)           noise of the chip
    v = clip(v, -(2**23 - 1), 2**23 - 1);  v = 0 in a dead step
    spike if v + noise > threshold and not dead; then v = 0                  noise of the threshold
    after a spike: *refractory* dead steps                                   POPULATION.voltage

A spike in step t of a projection of delay d arrives in step t + d, at least 1. Sources spike before
populations, so a source's spike arrives ``delay`` steps later too.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

VECTORS = Path(__file__).parent / "vectors"
EXPECTED = ("input", "current", "voltage", "spikes", "trace", "learned")
HIGHEST = 2**23 - 1


def wrap(x, bits):
    """Return *x* as a register of *bits* bits and a sign holds it."""
    half = 1 << bits
    return ((x + half) & (2 * half - 1)) - half


def left(x, factor):
    """Return ``x * factor / 4096``, rounded towards zero."""
    return np.sign(x) * ((np.abs(x) * factor) >> 12)


def load(name, folder=VECTORS):
    """Return a case: its description, and its arrays by name, integers as int64."""
    case = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key].astype(np.float64 if "draws" in key else np.int64) for key in file}
    return case, arrays


def digest(arrays):
    """Return the SHA-256 of arrays, by sorted names, as little-endian integers or floats."""
    total = hashlib.sha256()
    for key in sorted(arrays):
        kind = "<f8" if arrays[key].dtype.kind == "f" else "<i8"
        total.update(f"{key} {arrays[key].shape}".encode())
        total.update(np.ascontiguousarray(arrays[key], dtype=kind).tobytes())
    return total.hexdigest()


def play(case, arrays):
    """Run the network of a case; return every expected array. This is the definition."""
    populations = {name: Neurons(p) for name, p in case["populations"].items()}
    synapses = [Synapses(p, arrays) for p in case["projections"]]
    spikes = {name: arrays[f"{name}.spikes"] for name in case["sources"]}
    spikes |= {name: np.zeros((case["steps"], n.size), np.int64) for name, n in populations.items()}
    rows = {}
    for t in range(case["steps"]):
        arrived = {s.name: s.arrived(spikes, t) for s in synapses}
        for name, neurons in populations.items():
            into = [s for s in synapses if s.post == name]
            q = sum((arrived[s.name] @ s.weights for s in into), np.zeros(neurons.size, np.int64))
            noise = arrays[f"{name}.noise"][t] if neurons.noise != "none" else 0
            spikes[name][t] = neurons.step(q, noise)
            rows.setdefault(f"{name}.input", []).append(neurons.q)
            rows.setdefault(f"{name}.current", []).append(neurons.u)
            rows.setdefault(f"{name}.voltage", []).append(neurons.v.copy())
        for s in synapses:
            if s.learns:
                s.learn(arrived[s.name], arrays, t)
                rows.setdefault(f"{s.name}.trace", []).append(s.trace)
                rows.setdefault(f"{s.name}.learned", []).append(s.weights)
    played = {key: np.stack(values) for key, values in rows.items()}
    return played | {f"{name}.spikes": spikes[name] for name in populations}


class Neurons:
    """Hold a population: registers as arrays, current ``u``, voltage ``v``, dead steps left."""

    def __init__(self, description):
        """Start at rest."""
        self.size, self.noise = description["size"], description["noise"]
        for key in ("current_decay", "voltage_decay", "threshold", "bias", "refractory"):
            setattr(self, key, np.array(description[key], np.int64))
        self.u, self.v, self.dead = (np.zeros(self.size, np.int64) for _ in range(3))

    def step(self, q, noise):
        """Make one step with the sums *q* of weights; return the spikes, 0 or 1."""
        self.q = wrap(q, 21)
        self.u = wrap(left(self.u, 4095 - self.current_decay) + self.q, 23)
        change = self.u + self.bias + (noise if self.noise == "voltage" else 0)
        self.v = left(self.v, 4096 - self.voltage_decay) + wrap(change, 23)
        self.v = np.clip(self.v, -HIGHEST, HIGHEST)
        self.v[self.dead > 0] = 0
        compared = self.v + (noise if self.noise == "threshold" else 0)
        over = (compared > self.threshold) & (self.dead == 0)
        self.dead = np.where(over, self.refractory, np.maximum(self.dead - 1, 0))
        self.v[over] = 0
        return over.astype(np.int64)


class Synapses:
    """Hold a projection: weights ``(n_pre, n_post)``, and its traces if it learns (PES).

    In steps with draws in ``NAME.trace_draws`` and ``NAME.weight_draws`` (NaN elsewhere), with
    ``round(x) = floor(x) + (x - floor(x) > draw)``, e the ``POST.error`` and m the exponent::

        trace = min(round(exp(-2 / tau) trace + magnitude [a spike came since the last time]), 127)
        w = sign(y) min(round(|y| / 256), 127) << 7 + m    y = (w << 1 - m) + (-trace e >> 2)
    """

    def __init__(self, description, arrays):
        """Start with the weights of the case and traces of 0."""
        self.name, self.pre, self.post = (description[k] for k in ("name", "pre", "post"))
        self.delay, self.exponent = description["delay"], description["exponent"]
        self.weights, self.learns = arrays[f"{self.name}.weights"], "plastic" in description
        self.trace = np.zeros(len(self.weights), np.int64)
        self.came = np.zeros(len(self.weights), bool)
        if self.learns:
            self.kept = np.exp(-2 / description["plastic"]["tau"])
            self.magnitude = description["plastic"]["magnitude"]

    def arrived(self, spikes, t):
        """Return which presynaptic spikes arrive in step *t*, 0 or 1."""
        past = t - self.delay
        return spikes[self.pre][past] if past >= 0 else np.zeros(len(self.weights), np.int64)

    def learn(self, arrived, arrays, t):
        """Update the traces, then the weights, in the steps that have draws."""
        self.came |= arrived > 0
        draws = arrays[f"{self.name}.trace_draws"][t]
        if not np.isnan(draws).any():
            x = self.kept * self.trace + self.magnitude * self.came
            self.trace = np.minimum(rounded(x, draws), 127)
            self.came[:] = False
        draws = arrays[f"{self.name}.weight_draws"][t]
        if not np.isnan(draws).any():
            product = -np.outer(self.trace, arrays[f"{self.post}.error"][t]) >> 2
            y = shifted(self.weights, 1 - self.exponent) + product
            mantissa = np.sign(y) * np.minimum(rounded(np.abs(y) / 256, draws), 127)
            self.weights = shifted(mantissa, 7 + self.exponent)


def rounded(x, draws):
    """Return *x* rounded down, plus 1 where its fraction is above the draw."""
    whole = np.floor(x)
    return (whole + (x - whole > draws)).astype(np.int64)


def shifted(x, bits):
    """Return *x* shifted to the left, or to the right if *bits* is negative."""
    return x << bits if bits >= 0 else x >> -bits


def difference(theirs, expected):
    """Return the first difference in a line, None if all that *theirs* holds is equal."""
    if not any(key.endswith(".spikes") for key in theirs):
        return "holds no POPULATION.spikes"
    unknown = sorted(set(theirs) - set(expected))
    if unknown:
        return f"holds {unknown[0]}, which is no expected array ({', '.join(sorted(expected))})"
    found = []
    for key in sorted(theirs):
        ours, other = expected[key], np.asarray(theirs[key])
        if other.shape != ours.shape:
            return f"{key}: shape {other.shape}, expected {ours.shape}"
        wrong = np.argwhere(ours != other)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            order = EXPECTED.index(key.rpartition(".")[2])
            where = f"step {at[0]}, index {at[1:]}"
            line = f"{key}: {len(wrong)} of {ours.size} differ, first at {where}"
            found.append((at[0], order, f"{line}: got {other[at]}, expected {ours[at]}"))
    return min(found)[2] if found else None


def names():
    """Return the names of all cases."""
    return sorted(path.stem for path in VECTORS.glob("*.json"))


def main(arguments):
    """Check what the command line names; return the exit status."""
    folder, *chosen = arguments or [None]
    unknown = sorted(set(chosen) - set(names()))
    if unknown or (folder or "").startswith("-"):
        print(f"no case {unknown[0]}: {', '.join(names())}" if unknown else __doc__)
        return 2
    failed = 0
    for name in chosen or names():
        problem = problem_of(name, folder)
        print(f"{name}: {problem or 'equal'}")
        failed += problem is not None
    return int(failed > 0)


def problem_of(name, folder):
    """Return what is wrong with a case, or with a result in *folder*; None if nothing is."""
    case, arrays = load(name)
    expected = {key: value for key, value in arrays.items() if key in case["expected"]}
    if digest(arrays) != case["sha256"]:
        return "the file of the case was changed (SHA-256)"
    if folder is None:
        return difference(play(case, arrays), expected)
    try:
        with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as file:
            return difference(dict(file), expected)
    except FileNotFoundError as exc:
        return f"no {exc.filename}"
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as exc:
        return f"the result can't be read ({exc})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
