"""Check the arguments of a backend's methods, before anything changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import find_noise
from neurorl.arithmetic.rounding import ARITHMETICS, find_arithmetic
from neurorl.backends.capabilities import Capabilities
from neurorl.errors import (
    ArgumentError,
    DivergenceError,
    UnsupportedError,
    check_mapping,
    check_name,
    unknown_name_error,
)
from neurorl.network.description import Network, Source
from neurorl.network.limits import refuse_units
from neurorl.network.serialization import LARGEST
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import read_seed

Inputs = dict[str, Array]
"""Map each source to its raster (spikes), activations (currents) or values.

What values add to an input in each step, ``(n_steps, size)``, is beside them, ``POPULATION.INPUT``.
"""
Errors = Mapping[str, FloatArray]
"""Map populations that learn to their errors in each step, ``(n_steps, size)``, -1 to 1."""


def check_seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    """Return all seeds, one or more.

    Raises ArgumentError if one is no whole number of 63 bits, or if there is none.
    """
    if isinstance(seed, (int, np.integer)):
        return (read_seed(seed),)
    try:
        seeds = tuple(seed)
    except TypeError:
        seeds = (seed,)  # type: ignore[assignment]  # refused by its kind
    if not seeds:
        raise ArgumentError("seed", "a sequence of seeds is empty", limit="1 or more")
    return tuple(read_seed(one) for one in seeds)


def check_arithmetic(arithmetic: str | None, capabilities: Capabilities) -> str:
    """Return *arithmetic*, or the default for None; raise UnknownNameError if it is unknown."""
    if arithmetic is not None:
        check_name("arithmetic", arithmetic, ARITHMETICS)
    return arithmetic or capabilities.arithmetics[0]


def check_noise(backend: str, noise: str, arithmetic: str, capabilities: Capabilities) -> None:
    """Raise UnknownNameError or UnsupportedError if a noise isn't available here."""
    find_noise(noise)
    where = f"backend {backend}"
    if noise not in capabilities.noises:
        problem, has = f"can't run noise {noise!r}", ", ".join(capabilities.noises)
        raise UnsupportedError(where, problem, limit=has)
    if noise not in find_arithmetic(arithmetic).noises:
        problem = f"can't run noise {noise!r} in arithmetic {arithmetic!r}"
        raise UnsupportedError(where, problem, remedy="arithmetic='loihi'")


def check_record(record: Sequence[str] | None, network: Network) -> tuple[str, ...]:
    """Return the populations to record, all for None; raise UnknownNameError for an unknown one."""
    names = [p.name for p in network.populations]
    if record is not None and not isinstance(record, (list, tuple)):
        problem = "is no list of populations"
        raise ArgumentError("record", problem, got=repr(record)[:60], limit=names)
    for name in record or ():
        check_name("population", name, names)
    return tuple(names if record is None else record)


def learned_populations(network: Network) -> frozenset[str]:
    """Return the names of the populations that plastic projections enter."""
    return frozenset(p.post for p in network.projections if p.plasticity is not None)


def check_errors(
    errors: Mapping[str, npt.ArrayLike], sizes: Mapping[str, int], n_steps: int
) -> dict[str, FloatArray]:
    """Return the errors of each step as float64 ``(n_steps, size)``, clipped to -1..1.

    errors: by population, ``(n_steps, size)``, or ``(size,)`` for all steps.
    sizes: neurons of each population that learns.

    Raises ArgumentError for a wrong shape or a number that isn't finite, UnknownNameError for a
    population that doesn't learn.
    """
    checked = {}
    for name, values in errors.items():
        check_name("population that learns", name, sizes)
        shape, where = (n_steps, sizes[name]), f"errors of {name!r}"
        rows = np.asanyarray(values)
        _refuse_masked(where, rows)
        if rows.dtype.kind not in "fiu" or not np.isfinite(rows).all():
            raise ArgumentError(where, "not an array of finite numbers")
        if rows.shape not in (shape, shape[1:]):
            raise ArgumentError(where, "wrong shape", got=rows.shape, limit=shape)
        clipped = np.clip(rows.astype(np.float64), -1.0, 1.0)
        checked[name] = np.broadcast_to(clipped, shape)
    return checked


def check_inputs(
    inputs: Mapping[str, npt.ArrayLike], sources: Mapping[str, Source], n_steps: int
) -> Inputs:
    """Return the input of each source: a raster, activations or values; silence if not given.

    sources: by name, of all replicas.

    Raises ArgumentError, or UnknownNameError for the name of no source.
    """
    rasters: Inputs = {}
    for name, value in inputs.items():
        if name not in sources:
            raise unknown_name_error("source", name, sources)
        if sources[name].kind != "spikes":
            rasters[name] = _check_numbers(name, value, sources[name], n_steps)
            continue
        raster = np.asanyarray(value)
        _refuse_masked(f"input {name!r}", raster)
        if raster.dtype != np.bool_:
            raise ArgumentError(
                f"input {name!r}", "not a raster of booleans", got=str(raster.dtype)
            )
        shape = (n_steps, sources[name].size)
        if raster.shape != shape:
            raise ArgumentError(f"input {name!r}", "wrong shape", got=raster.shape, limit=shape)
        rasters[name] = raster
    for name, source in sources.items():
        if name not in rasters:
            kind = "?" if source.kind == "spikes" else "f8"
            silence: Array = np.zeros((n_steps, source.size), dtype=kind)
            rasters[name] = silence[0] if source.kind == "current" else silence
    return rasters


def _check_numbers(name: str, value: npt.ArrayLike, source: Source, n_steps: int) -> FloatArray:
    """Return activations or values as float64; raise ArgumentError for a wrong kind or range."""
    where, is_current = f"input {name!r}", source.kind == "current"
    refuse_units(where, value)
    numbers = np.asanyarray(value)
    _refuse_masked(where, numbers)
    if numbers.dtype.kind not in ("f" if is_current else "fiu"):
        takes = "currents takes activations, floats" if is_current else "values takes numbers"
        raise ArgumentError(where, f"a source of {takes}", got=str(numbers.dtype))
    shape = (source.size,) if is_current else (n_steps, source.size)
    if numbers.shape != shape:
        raise ArgumentError(where, "wrong shape", got=numbers.shape, limit=shape)
    low, high = (0.0, 1.0) if is_current else (-LARGEST, LARGEST)
    outside = numbers[~((numbers >= low) & (numbers <= high))]
    if len(outside):
        kind, limit = "an activation" if is_current else "a value", f"{low:g} to {high:g}"
        raise ArgumentError(where, f"{kind} out of range", got=outside[0], limit=limit)
    return numbers.astype(np.float64)


def _refuse_masked(where: str, array: Array) -> None:
    """Raise ArgumentError for a masked array, as nobody would read its mask."""
    if isinstance(array, np.ma.MaskedArray):
        remedy = "its values alone, as filled() gives them"
        raise ArgumentError(where, "a masked array", remedy=remedy)


def check_state(state: Mapping[str, npt.ArrayLike], own: Mapping[str, Array]) -> dict[str, Array]:
    """Return *state* as finite arrays of the dtypes in *own*, the backend's state.

    Raises ArgumentError unless keys and shapes are those of *own*, and values those of a state.
    """
    check_mapping("restore", state)
    arrays = {key: np.asarray(value) for key, value in state.items()}
    if set(arrays) != set(own):
        unmatched = sorted(set(arrays) ^ set(own))
        raise ArgumentError("restore", "the state of another network", got=unmatched[:3])
    for key, value in own.items():
        if arrays[key].shape != value.shape:
            problem = f"{key} of another shape"
            raise ArgumentError("restore", problem, got=arrays[key].shape, limit=value.shape)
        arrays[key] = _of_kind(key, arrays[key], value.dtype)
    return arrays


def _of_kind(key: str, array: Array, dtype: np.dtype[Any]) -> Array:
    """Return *array* as *dtype*. Raises ArgumentError if that would lose information."""
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ArgumentError("restore", f"{key} of another kind", got=array.dtype, limit=dtype)
    with np.errstate(all="ignore"):
        converted = array.astype(dtype)
        # Steps, and those that a neuron is silent for.
        low, high = (0, 2**48) if key == "t" or key.endswith(".refractory") else (-np.inf, np.inf)
        is_exact = np.array_equal(converted, array) and np.isfinite(converted).all()
    if not is_exact or (converted < low).any() or (converted > high).any():
        raise ArgumentError("restore", f"{key} holds what is no state")
    return converted


def check_finite(population: str, state: Mapping[str, Array], size: int, when: str) -> None:
    """Raise DivergenceError if a state variable of a population is nan or infinite.

    state: arrays of all replicas, by variable. size: neurons of one replica. when: such as
    ``"step 12"``.
    """
    for name, values in state.items():
        # One sum is quicker than a test of each; it overflows before a value does, so look again.
        with np.errstate(all="ignore"):
            if np.isfinite(values.sum()) or np.isfinite(values).all():
                continue
        first = int(np.argmin(np.isfinite(values)))
        replica = f"replica {first // size}, " if len(values) > size else ""
        where = f"population {population!r}, {replica}neuron {first % size}, {when}"
        what = f"{name} has become {'nan' if np.isnan(values[first]) else 'infinite'}"
        remedy = "look for a division by 0 or a growth without bound, or take a smaller dt"
        raise DivergenceError(where, what, remedy=remedy)
