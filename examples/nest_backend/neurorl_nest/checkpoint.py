"""Write and read checkpoints of a network in parts: a file for each process, read by any number.

A file has the state of its process's `Backend` or `Learning`, and the ends of its synapses. Values
of neurons are right in the file of the process whose neuron it is; those of synapses stand there,
in its list's order; all else is the same in all files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from neurorl.errors import RunError
from neurorl.network.description import Network
from neurorl.network.synapse_list import repeats

__all__ = ["complete", "restore", "save", "whole"]

Arrays = dict[str, npt.NDArray[Any]]
_OWN = ("current", "voltage", "refractory")  # of a population, by neuron
_MANIFEST = "parts.json"


def save(
    folder: Path, rank: int, n: int, network: Network, state: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write the part of process *rank* of *n*."""
    ends: Arrays = {}
    for p in network.projections:
        ends[f"ends.{p.name}"] = np.array(network.ends(p.name), np.int32)
        ends[f"delays.{p.name}"] = _delays(network, p.name)
    with (folder / f"{rank}.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **state, **ends)
    if rank == 0:
        (folder / _MANIFEST).write_text(json.dumps({"processes": n}))


def complete(partial: Path, folder: Path) -> None:
    """Let a checkpoint that is whole take the place of the one before, which stays until then."""
    before = folder.with_name(f"{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    partial.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def whole(folder: Path) -> Path:
    """Return the folder of the last checkpoint that is whole. Raises RunError if there is none."""
    for found in (folder, folder.with_name(f"{folder.name}.before")):
        if (found / _MANIFEST).is_file():
            return found
    raise RunError("checkpoint", "there is none", got=folder)


def restore(
    folder: Path, rank: int, n: int, network: Network, state: Mapping[str, npt.NDArray[Any]]
) -> Arrays:
    """Return the state of process *rank* of *n*. state: of now, for its shapes.

    Raises RunError for a checkpoint that is damaged, or of another network.
    """
    new = {key: np.array(value) for key, value in state.items()}
    filled = dict.fromkeys((p.name for p in network.projections), 0)
    try:
        count = int(json.loads((folder / _MANIFEST).read_text())["processes"])
        for of in range(count):
            with (folder / f"{of}.npz").open("rb") as opened:
                file = np.load(opened, allow_pickle=False)
                _take(file, of, count, network, new)
                for p in network.projections:
                    filled[p.name] += _take_synapses(file, p.name, rank, n, network, new)
    except (OSError, KeyError, ValueError, IndexError, BadZipFile) as exc:
        raise RunError("checkpoint", "is damaged, or of another network", got=exc) from exc
    for name, taken in filled.items():
        if taken != len(network.ends(name)[0]):
            what = f"has other synapses of {name!r}"
            raise RunError("checkpoint", what, got=taken, limit=len(network.ends(name)[0]))
    return new


def _take(file: Mapping[str, Any], of: int, count: int, network: Network, new: Arrays) -> None:
    """Take what isn't of synapses from the file of process *of*.

    Parts have delays of their own, so files remember different numbers of steps and traces.
    """
    synapses = {key for p in network.projections for key in _of_synapses(p.name, new)}
    for key in new.keys() - synapses:
        to, value = new[key], file[key]
        if key.endswith(_OWN):
            to[of::count] = value[of::count]
        elif key.endswith(".spikes") or key.startswith("last."):
            n = min(len(to), len(value))
            to[len(to) - n :] = value[len(value) - n :]
        elif key.startswith("trace."):
            name = key.removeprefix("trace.")
            own, theirs = _delays(network, name), file[f"delays.{name}"]
            rows = to.reshape(len(own), -1), value.reshape(len(theirs), -1)
            _, here, there = np.intersect1d(own, theirs, return_indices=True)
            rows[0][here] = rows[1][there]
        else:
            to[...] = value


def _delays(network: Network, name: str) -> npt.NDArray[np.int64]:
    """Return the delays of a projection's synapses in steps, sorted; one if all share it."""
    delays = network.synapse_delays(name)
    if delays is None or not len(delays):
        return np.array([network.delay_steps(name)])
    return np.unique(delays)


def _take_synapses(
    file: Mapping[str, Any], name: str, rank: int, n: int, network: Network, new: Arrays
) -> int:
    """Take the values of the own synapses that a file has; return how many it has."""
    size = network.node(network.projection(name).post).size
    pre, post = file[f"ends.{name}"]
    there = np.flatnonzero(post % n == rank)
    keys = _places(pre[there], post[there], size)
    own = _places(*network.ends(name), size)
    places = np.searchsorted(own, keys) + repeats(keys)
    if len(places) and not np.array_equal(own[np.minimum(places, len(own) - 1)], keys):
        raise ValueError(f"other synapses of {name!r}")
    for key in _of_synapses(name, new):
        new[key].reshape(-1)[places] = file[key].reshape(-1)[there]
    return len(there)


def _of_synapses(name: str, state: Arrays) -> Iterator[str]:
    """Yield the keys of values for each synapse of a projection."""
    for key in (f"{name}.weights", f"backend.{name}.weights"):
        if key in state:
            yield key
    for kind in ("weights", "eligibility"):
        if f"{kind}.{name}" in state:
            yield f"{kind}.{name}"


def _places(pre: npt.NDArray[Any], post: npt.NDArray[Any], n_post: int) -> npt.NDArray[np.int64]:
    return np.asarray(pre.astype(np.int64) * n_post + post)
