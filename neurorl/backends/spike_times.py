"""Give and get spikes as pairs of neuron and step, which many silent neurons cost nothing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.backends.poisson import Poisson
from neurorl.backends.window import Raster
from neurorl.errors import ArgumentError, BackendUnavailableError, check_mapping
from neurorl.network.serialization import number, whole_numbers
from neurorl.numerics.arrays import Array, FloatArray, Int32Array
from neurorl.storage.plain import check_count, real_array

_ROUNDING = 1e-6  # steps
_BYTES = 2**24
_MOST = 2**31 - 1  # i and t have 32 bits


class SpikeTimes:
    """Hold the spikes of *size* neurons in *n_steps* steps, sorted by step, then by neuron.

    i: neuron of each spike, int32. t: its step, from 0, int32; both are read-only. A neuron spikes
    at most once in a step: a pair that is given twice counts once.

    Raises ArgumentError for numbers that are out of range or not whole.
    """

    i: Int32Array
    t: Int32Array

    def __init__(self, i: npt.ArrayLike, t: npt.ArrayLike, size: int, n_steps: int) -> None:
        ends = whole_numbers("SpikeTimes, size and n_steps", (size, n_steps), 0, _MOST)
        self.size, self.n_steps = ends
        who, when = _whole("SpikeTimes.i", i, size), _whole("SpikeTimes.t", t, n_steps)
        if len(who) != len(when):
            got = f"{len(who)} and {len(when)}"
            raise ArgumentError("SpikeTimes", "i and t are of two lengths", got=got)
        self._hold(*_in_order(who, when, max(size, 1)))

    def _hold(self, i: Int32Array, t: Int32Array) -> None:
        """Take spikes that are in order."""
        self.i, self.t = i, t
        for array in (i, t):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.i)

    @classmethod
    def of_raster(cls, raster: npt.ArrayLike) -> SpikeTimes:
        """Return the spikes of a raster ``(n_steps, size)``."""
        array = np.asarray(raster)
        if array.ndim != 2:
            limit = "(n_steps, size)"
            where = "SpikeTimes.of_raster"
            raise ArgumentError(where, "is no raster", got=array.shape, limit=limit)
        t, i = np.nonzero(array)
        return cls(i.astype(np.int32), t.astype(np.int32), array.shape[1], len(array))

    @classmethod
    def of_seconds(
        cls, i: npt.ArrayLike, seconds: npt.ArrayLike, dt: float, size: int, n_steps: int
    ) -> SpikeTimes:
        """Return spikes at times in seconds; each falls into the step of *dt* that holds it.

        A time that is a whole number of steps, but for its last bits, is the beginning of that.
        """
        step = number("SpikeTimes.of_seconds, dt", dt, low=1e-12)
        where = "SpikeTimes.of_seconds, seconds"
        times = real_array(where, seconds, ArgumentError)
        if not np.isfinite(times).all():
            raise ArgumentError(where, "not all are finite", got=times[~np.isfinite(times)][0])
        steps = np.floor(times / step + _ROUNDING)
        return cls(np.asarray(i), steps, size, n_steps)

    @classmethod
    def of_neo(cls, trains: Sequence[Any], dt: float, n_steps: int) -> SpikeTimes:
        """Return the spikes of a Neo ``SpikeTrain`` for each neuron; dt: seconds."""
        times = [np.asarray(train.rescale("s").magnitude, dtype=np.float64) for train in trains]
        who = np.repeat(np.arange(len(times)), [len(x) for x in times])
        return cls.of_seconds(who, np.concatenate([[], *times]), dt, len(times), n_steps)

    def to_neo(self, dt: float) -> list[Any]:
        """Return a ``neo.SpikeTrain`` for each neuron; a spike is at the beginning of its step.

        dt: seconds.

        Raises BackendUnavailableError without Neo.
        """
        try:
            neo: Any = importlib.import_module("neo")
        except ImportError as exc:
            what, remedy = "the package neo can't be imported", "pip install neo"
            raise BackendUnavailableError("SpikeTimes.to_neo", what, remedy=remedy) from exc
        order = np.argsort(self.i, kind="stable")
        ends = np.searchsorted(self.i[order], np.arange(1, self.size))
        each = np.split(self.t[order], ends) if self.size else []
        return [neo.SpikeTrain(t * dt, units="s", t_stop=self.n_steps * dt) for t in each]

    def seconds(self, dt: float) -> FloatArray:
        """Return the beginning of each spike's step in seconds, for steps of *dt* seconds."""
        return np.asarray(self.t * float(dt))

    def __array__(self, dtype: npt.DTypeLike = None, copy: bool | None = None) -> Array:
        """Return `raster`, so that whoever takes a raster, such as `Backend.step`, takes this."""
        return self.raster().astype(dtype or np.bool_, copy=False)

    def raster(self, first: int = 0, last: int | None = None) -> Raster:
        """Return the raster of steps *first* to *last* - 1, ``(n_steps, size)``; None: all."""
        last = self.n_steps if last is None else last
        begin, end = np.searchsorted(self.t, (first, last))
        raster = np.zeros((last - first, self.size), dtype=np.bool_)
        raster[self.t[begin:end] - first, self.i[begin:end]] = True
        return raster


def step_times(
    backend: Backend, inputs: Mapping[str, SpikeTimes | Poisson | npt.ArrayLike], n_steps: int
) -> dict[str, SpikeTimes]:
    """Advance *n_steps* as `Backend.step` does, and return the spikes of recorded populations.

    inputs: spikes of sources as `SpikeTimes`, or as `Backend.step` takes them. No raster is made
    of more than some steps at once. Raises ArgumentError as that does.
    """
    n_steps = check_count("step_times, n_steps", n_steps)
    check_mapping("inputs", inputs)
    sparse = {name: x for name, x in inputs.items() if isinstance(x, SpikeTimes)}
    rates = {name: x for name, x in inputs.items() if isinstance(x, Poisson)}
    other = [name for name in inputs if name not in sparse and name not in rates]
    dense = {name: np.asarray(inputs[name]) for name in other}
    sizes = {node.name: node.size * backend.n_replicas for node in backend.network.nodes}
    for name, spikes in sparse.items():
        shape, limit = (spikes.n_steps, spikes.size), (n_steps, sizes.get(name))
        if name in sizes and shape != limit:
            raise ArgumentError(f"input {name!r}", "wrong shape", got=shape, limit=limit)
    for name, raster in dense.items():
        if name not in backend.network.currents and raster.shape[:1] != (n_steps,):
            raise ArgumentError(f"input {name!r}", "wrong shape", got=raster.shape, limit=n_steps)
    at_once = max(1, _BYTES // max(1, sum(sizes.values())))
    parts: dict[str, list[Int32Array]] = {}
    counts: dict[str, list[npt.NDArray[np.intp]]] = {}
    for first in range(0, n_steps, at_once):
        last = min(first + at_once, n_steps)
        now: dict[str, npt.ArrayLike | Poisson] = {
            name: spikes.raster(first, last) for name, spikes in sparse.items()
        }
        now |= {name: x.of_steps(first, last) for name, x in rates.items()}
        for name, x in dense.items():
            now[name] = x if name in backend.network.currents else x[first:last]
        for name, raster in backend.step(now, last - first).items():
            parts.setdefault(name, []).append(np.nonzero(raster)[1].astype(np.int32))
            counts.setdefault(name, []).append(np.count_nonzero(raster, axis=1))
    found = {}
    for name in list(parts):
        found[name] = SpikeTimes((), (), sizes[name], n_steps)
        i = np.concatenate(parts.pop(name))
        steps = np.arange(n_steps, dtype=np.int32)
        found[name]._hold(i, np.repeat(steps, np.concatenate(counts[name])))
    return found


def _in_order(
    who: npt.NDArray[np.integer], when: npt.NDArray[np.integer], size: int
) -> tuple[Int32Array, Int32Array]:
    """Return neurons and steps, sorted, each pair once; with few copies, as they may be long."""
    places = when.astype(np.int64)
    places *= size
    places += who
    places.sort()
    if len(places) and not (is_new := places[1:] != places[:-1]).all():
        places = places[np.concatenate([[True], is_new])]
    i, t = (np.empty(len(places), dtype=np.int32) for _ in range(2))
    np.floor_divide(places, size, out=t, casting="unsafe")
    np.remainder(places, size, out=i, casting="unsafe")
    return i, t


def _whole(where: str, values: npt.ArrayLike, end: int) -> npt.NDArray[np.integer]:
    """Return whole numbers of one dimension, 0 to *end* - 1. Raises ArgumentError."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ArgumentError(where, "has more than one dimension", got=array.shape)
    is_whole = array.dtype.kind in "iu" or not array.size
    if not is_whole and (array.dtype.kind != "f" or not (array == np.floor(array)).all()):
        raise ArgumentError(where, "are no whole numbers", got=array.dtype)
    if array.size and (array.min() < 0 or array.max() >= end):
        got, limit = int(array[(array < 0) | (array >= end)][0]), f"0 to {end - 1}"
        raise ArgumentError(where, "out of range", got=got, limit=limit)
    return array if array.dtype.kind in "iu" else array.astype(np.int64)
