"""Test descriptions that others made: they are refused in one line, before memory is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fuzzing.guard import limited_memory

from neurorl.errors import DescriptionError, format_message
from neurorl.models import LIF
from neurorl.models.features import Combinations, Fourier, OneHot, PlaceCells, Tiles
from neurorl.network.description import Network, Population, Projection, Source

MIB = 2**20


def array(values: Any, dtype: str = "float64", shape: Any = None) -> dict[str, Any]:
    return {"array": values, "dtype": dtype, "shape": [len(values)] if shape is None else shape}


@pytest.mark.parametrize(
    "threshold",
    [
        array(["x"], "S2000000000"),
        array([1.0], "O"),
        array([1.0], "datetime64[s]"),
        array([1.0], "float64", [10**9, 10**9]),
        array([1.0], "float64", [-1]),
        array([1.0], "float64", None) | {"shape": None},
        array([], "float64", [0, 10**18]),
        array(["x" * MIB, *["y"] * 3000]),
        array(["1.5"]),
        array([True]),
        array([1.5], "int64"),
        array([10**400], "int64"),
        array([300], "uint8"),
        array([1e308], "float32"),
        array([[1.0], [1.0, 2.0]]),
        array([None]),
        array([1.0]) | {"more": 1},
        [1.0, "x"],
        1e308,
        10**400,
        {"type": "LIF"},
    ],
)
def test_parameters_that_are_no_numbers(threshold: Any) -> None:
    with limited_memory(), pytest.raises(DescriptionError):
        LIF.from_dict({"type": "LIF", "threshold": threshold})


def test_arrays_are_read_as_they_were_written() -> None:
    for values in ([1.0, 2.5], [1, 2]):
        assert LIF.from_dict({"type": "LIF", "threshold": array(values)}) == LIF(
            threshold=np.array(values, dtype=float)
        )


def projection(**fields: Any) -> Callable[[], object]:
    def make() -> object:
        nodes = (Source("a", 2), Population("b", 2, LIF()))
        return Network(nodes, (Projection("p", "a", "b", **fields),))

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (projection(delay=1e308), r"Projection 'p'\.delay"),
        (projection(delay=10**400), r"Projection 'p'\.delay"),
        (projection(delay=1e9), "too long"),
        (projection(weights=1e300), "too large"),
        (projection(blocks=10**400), r"Projection 'p'\.blocks"),
        (projection(mask=[["x", "y"], ["z", "w"]]), "not booleans"),
        (projection(mask=[[1], [1, 2]]), "not an array"),
        (lambda: Network((Source("a", 2),), dt=1e-300), r"Network\.dt"),
        (lambda: Network((Source("a", 2),), dt=10**400), r"Network\.dt"),
        (lambda: Source("a", 10**12), r"size: too large"),
        (lambda: Source("a" * 300, 1), "letters, digits"),
        (lambda: Population("a", 10**12, LIF()), r"size: too large"),
        (lambda: Population("a", 1, LIF(refractory=1e20)), "refractory: too long"),
        (lambda: Network(tuple(Source(f"s{k}", 1) for k in range(5000))), "too many nodes"),
        (lambda: OneHot(10**9), "OneHot"),
        (lambda: OneHot(0), "OneHot"),
        (lambda: PlaceCells(10**6, 10**6), "PlaceCells"),
        (lambda: PlaceCells(3, 3, width=0.0), "PlaceCells"),
        (lambda: Tiles([0] * 9, [1] * 9, 8, 8), "Tiles: too many features"),
        (lambda: Fourier([0] * 9, [1] * 9, 9, 9), "Fourier: too many features"),
        (lambda: Combinations(3, 10**8, 2 * 10**8), "Combinations"),
    ],
)
def test_descriptions_that_no_machine_holds(make: Callable[[], object], words: str) -> None:
    with limited_memory(), pytest.raises(DescriptionError, match=words):
        make()


def test_errors_stay_short() -> None:
    text = format_message("x" * 10**5, "y", got=["z"] * 10**5, limit=10**5000, remedy="r" * 10**5)
    assert len(text) < 3000
    assert "limit int" in text
