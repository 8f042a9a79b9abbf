"""The exchange table: its page, and a part of its cells measured again."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from load_script import load_script

table = load_script("exchange_table")


def test_the_page_has_every_cell() -> None:
    cells = table.read(table.PAGE.read_text())
    assert set(cells) == {(row, column) for row in table.ROWS for column in table.COLUMNS}
    for key, said in cells.items():
        assert said.startswith(("equal spikes (", "rate ", "refused: ")), key


def test_a_page_is_read_as_it_was_written() -> None:
    cells = {(row, column): f"{row}, {column}" for row in table.ROWS for column in table.COLUMNS}
    page = f"before\n{table.START}{table.END}after\n"
    assert table.read(table.replaced(page, cells)) == cells
    assert table.replaced(page, cells).endswith(f"{table.END}after\n")


def test_a_difference_is_measured_and_a_silent_network_shows_nothing() -> None:
    raster = np.random.default_rng(1).random((50, 3)) < 0.2
    other = raster.copy()
    other[7] ^= True
    assert table.compared({"a": raster}, {"a": raster}) == f"equal spikes ({raster.sum()})"
    assert table.compared({"a": raster}, {"a": other}).startswith("rate 0.")
    with pytest.raises(AssertionError, match="silent"):
        table.compared({"a": raster & False}, {"a": raster})


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("LIF", "NIR"),
        ("escape noise", "NIR"),
        ("equations: AdEx", "nengo"),
        ("drawn delays", "nengo-loihi"),
        ("GLM", "pyNN.nest"),
        ("CubaLIF", "sPyNNaker"),
        ("CubaLIF", "BrainScaleS"),
    ],
)
def test_cells_are_what_the_page_says(row: str, column: str) -> None:
    for package in table.COLUMNS[column].packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    assert table.main(["--check", "--rows", row, "--columns", column]) == 0


@pytest.mark.slow
def test_the_whole_page_is_measured_again() -> None:
    assert table.main(["--check"]) == 0
