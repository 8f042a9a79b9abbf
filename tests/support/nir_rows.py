"""Measure a row of the table in docs/nir.md."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "nir.md"


@dataclass(frozen=True)
class Row:
    """Hold a row. form: ``chain``, ``one population``, or why it is refused; then no figures."""

    network: str
    reader: str
    form: str
    lag: int | None = None
    lead: int | None = None
    spikes: int | None = None
    differences: int | None = None
    nearest: str = ""


def expect_row(request: pytest.FixtureRequest, row: Row) -> None:
    """Fail if the page says otherwise; with ``--nir-table FILE``, add the row there instead."""
    target = request.config.getoption("--nir-table", default=None)
    if target:
        with Path(target).open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        return
    said = [
        cells
        for network, readers, *cells in map(_cells, PAGE.read_text().splitlines())
        if network == row.network and row.reader in readers.split(", ")
    ]
    measured = ["" if cell is None else str(cell) for cell in list(asdict(row).values())[2:]]
    assert said == [measured], f"{PAGE.name} says otherwise; is scripts/nir_table.py to run?"


def _cells(line: str) -> list[str]:
    """Return the two ends of a table's row; two empty ones of any other line."""
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    return cells if len(cells) > 2 else ["", ""]
