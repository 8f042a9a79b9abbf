"""Make networks of whole numbers, and chips of shifts with one mistake each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from faults.case import Fault
from faults.chip_of_shifts import Ints, Layer, ShiftChip
from neurorl.models import CubaLIF, shift_lif
from neurorl.network.description import Network, Population, Projection, Source

Made = Callable[[np.random.Generator], type[ShiftChip]]


def network(seed: int) -> Network:
    """Return inputs, two hidden populations that recur, and outputs, mostly in whole numbers."""
    rng = np.random.default_rng([seed, 77])
    n, a, b, m = (int(x) for x in rng.integers((5, 6, 4, 2), (16, 20, 12, 7)))

    def weights(pre: int, post: int, most: int, mean: float = 0.0) -> Any:
        drawn = np.rint(rng.normal(mean, most / 2, (pre, post)))
        return scale * np.clip(drawn, -127, 127)

    def cells(size: int) -> Any:
        if is_described:
            tau_syn, tau_mem = rng.uniform(2e-3, 3e-2, (2, size))
            threshold = rng.uniform(2.0, 40.0) * rng.uniform(0.7, 1.3, size)
            return CubaLIF(tau_syn, tau_mem, threshold, rng.normal(0.1, 0.3, size))
        level = int(rng.choice([60, 400, 3000]))
        bias = rng.integers(-level // 10, level // 3, size)
        return shift_lif(
            rng.integers(1, 7, size),
            rng.integers(1, 9, size),
            rng.integers(level // 2, level, size),
            bias,
        )

    is_described = bool(rng.random() < 0.3)
    scale = 1.0 / 8 if is_described else 2.0 ** rng.integers(0, 5)
    nodes = (
        Source("senses", n),
        Population("first", a, cells(a)),
        Population("second", b, cells(b)),
        Population("act", m, cells(m)),
    )
    return Network(
        nodes,
        (
            Projection("in", "senses", "first", weights(n, a, 110, 15.0)),
            Projection("loop", "first", "first", weights(a, a, 50)),
            Projection("next", "first", "second", weights(a, b, 90, 10.0)),
            Projection("back", "second", "first", weights(b, a, 40)),
            Projection("out", "second", "act", weights(b, m, 100, 10.0)),
        ),
    )


def of_layers(where: str = "", start: int = 0, **methods: Callable[..., Any]) -> type[ShiftChip]:
    """Return a chip whose layers, or one of them, have other methods.

    where: the name of the one. start: the step from which on they have them.
    """

    def chosen(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Layer, *arguments: Any) -> Any:
            if where in ("", self.name) and self.backend.t >= start:
                return method(self, *arguments)
            return getattr(Layer, name)(self, *arguments)

        return call

    cls = type("Faulty", (Layer,), {name: chosen(name, method) for name, method in methods.items()})
    return type("Chip", (ShiftChip,), {"neurons": cls})


def of_chip(**methods: Callable[..., Any]) -> type[ShiftChip]:
    """Return a chip with other methods."""
    return type("Chip", (ShiftChip,), methods)


def with_numbers(where: str, change: Callable[[Layer], None]) -> type[ShiftChip]:
    """Return a chip of which a layer has other numbers; *change*: puts them there."""

    def begin(self: Layer, *arguments: Any) -> None:
        Layer.__init__(self, *arguments)
        if where in ("", self.name):
            change(self)

    return type("Chip", (ShiftChip,), {"neurons": type("Faulty", (Layer,), {"__init__": begin})})


def some(rng: np.random.Generator, size: int) -> Any:
    """Return a mask of about half the neurons, of one at least."""
    mask = rng.random(size) < 0.5
    mask[int(rng.integers(size))] = True
    return mask


POPULATIONS = ("first", "second", "act")
PROJECTIONS = ("in", "loop", "next", "back", "out")


def of_projection(change: Callable[[Ints], Ints], rng: np.random.Generator) -> type[ShiftChip]:
    """Return a chip with other mantissas of one projection, which is drawn."""
    chosen = str(rng.choice(PROJECTIONS))
    return of_chip(mantissas=lambda self, p, w: change(w) if p == chosen else w)


def faults_of(made: dict[str, tuple[tuple[str, ...], Made]], first: int) -> tuple[Fault, ...]:
    return tuple(
        Fault(
            f"shifts: {name}",
            make(np.random.default_rng([first, k])),
            partial(network, first + k),
            causes,
            seed=first + k,
            arithmetic="xylo",
        )
        for k, (name, (causes, make)) in enumerate(made.items())
    )
