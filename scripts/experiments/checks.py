"""Keep the table of checks: whether another backend played the same episodes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from neurorl.errors import RunError
from neurorl.storage.files import make_folder, write_bytes


@dataclass(frozen=True)
class CheckRow:
    """Hold a check. same: ``yes`` if all returns, lengths and steps of *episodes* are equal."""

    experiment: str
    backend: str
    seed: int
    episodes: int
    same: str


def write_checks(path: Path, rows: Sequence[CheckRow]) -> Path:
    """Write *rows* as CSV; returns *path*."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(CheckRow)])
    writer.writerows(astuple(row) for row in rows)
    make_folder(path.parent)
    write_bytes(path, text.getvalue().encode())
    return path


def read_checks(path: Path) -> list[CheckRow]:
    """Return a file's rows, none if there is no file. Raises RunError if it is damaged."""
    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            return [
                CheckRow(
                    experiment=line["experiment"],
                    backend=line["backend"],
                    seed=int(line["seed"]),
                    episodes=int(line["episodes"]),
                    same=line["same"],
                )
                for line in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise RunError(f"table {path}", "is damaged", got=exc) from exc


def merge(old: Sequence[CheckRow], new: CheckRow) -> list[CheckRow]:
    """Return *old* with *new* in the place of the row of its experiment and backend."""
    kept = [row for row in old if (row.experiment, row.backend) != (new.experiment, new.backend)]
    return sorted([*kept, new], key=lambda row: (row.experiment, row.backend))
