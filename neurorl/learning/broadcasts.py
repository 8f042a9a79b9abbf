"""Read the numbers that a caller of `neurorl.Learning` broadcasts: modulators, phi and signals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, quoted
from neurorl.numerics.arrays import FloatArray

__all__ = ["Numbers", "read_modulators", "read_signal"]

Numbers = npt.ArrayLike | Mapping[str, npt.ArrayLike]
"""Accept a number, an array, or a mapping of names to these."""


def read_modulators(
    modulator: Numbers, names: Sequence[str | None], n_replicas: int
) -> dict[str | None, list[float]]:
    """Return the modulator of each replica by the *names* that rules have for it.

    A plain number or array is that of all rules; else every name needs one. Raises ArgumentError.
    """
    if not isinstance(modulator, Mapping):
        one = _per_replica("reinforce, modulator", modulator, n_replicas)
        return dict.fromkeys(names, one)
    if None in names:
        what, remedy = "a rule names no modulator", "a number, or modulator= of every rule"
        raise ArgumentError("reinforce, modulator", what, got=[*modulator], remedy=remedy)
    if set(modulator) != set(names):
        what, got = "by the names that rules have", list(modulator)
        raise ArgumentError("reinforce, modulator", what, got=got, limit=list(names))
    return {
        name: _per_replica(f"reinforce, modulator {name!r}", value, n_replicas)
        for name, value in modulator.items()
    }


def _per_replica(where: str, modulator: npt.ArrayLike, n: int) -> list[float]:
    values = _finite(where, modulator)
    if values.shape not in ((), (n,)):
        limit = f"a number, or {n} for the replicas"
        raise ArgumentError(where, "wrong shape", got=values.shape, limit=limit)
    return [float(value) for value in np.broadcast_to(values, n)]


def read_signal(
    where: str,
    name: str,
    signal: Numbers,
    sizes: Mapping[str, int],
    others: Collection[str],
    n_replicas: int,
    n_steps: int | None,
) -> dict[str, FloatArray]:
    """Return a signal of each neuron by population.

    signal: a number, ``(size,)`` or ``(n_replicas, size)`` for the whole window; unless *n_steps*
        is None also ``(n_steps, n_replicas * size)``, as rasters are. By population if they differ.
    sizes: of the populations that need it. others: those that may be named beside them.
    Returns ``(n_replicas, 1 or n_steps, size)``. Raises ArgumentError.
    """
    if not isinstance(signal, Mapping):
        signal = dict.fromkeys(sizes, signal)
    if not set(sizes) <= set(signal) <= {*sizes, *others}:
        raise ArgumentError(f"{where}, {name}", "by population", got=[*signal], limit=[*sizes])
    return {
        population: _spread(
            f"{name} of {population!r}", signal[population], size, n_replicas, n_steps
        )
        for population, size in sizes.items()
    }


def _spread(
    where: str, signal: npt.ArrayLike, size: int, n_replicas: int, n_steps: int | None
) -> FloatArray:
    values, shape = _finite(where, signal), (n_replicas, size)
    if values.shape in ((), (size,), shape):
        return np.broadcast_to(values, shape)[:, None, :]
    in_steps = None if n_steps is None else (n_steps, n_replicas * size)
    if in_steps is not None and values.shape == in_steps:
        return values.reshape(in_steps[0], n_replicas, size).transpose(1, 0, 2)
    limit = f"a number, {(size,)} or {shape}" + (f" or {in_steps}" if in_steps else "")
    raise ArgumentError(where, "wrong shape", got=values.shape, limit=limit)


def _finite(where: str, values: npt.ArrayLike) -> FloatArray:
    """Return finite numbers as float64. Raises ArgumentError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ArgumentError(where, "not finite numbers", got=quoted(values))
    return array.astype(np.float64)
