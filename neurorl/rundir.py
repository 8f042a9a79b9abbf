"""A run directory: ``config.json``, ``episodes.csv``, ``checkpoint.npz``, ``summary.json``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from neurorl.agent import Episode
from neurorl.errors import RunError, say
from neurorl.files import write_bytes, write_json

__all__ = ["COLUMNS", "RunDirectory"]

COLUMNS = ("episode", "return", "length", "env_steps", "wall_s", "discounted_return")


class RunDirectory:
    """The files of one training run.

    Rows of ``episodes.csv`` may run ahead of the checkpoint when a run is killed; `rewind` cuts
    them back to it, and the episodes played again give the same rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: TextIO | None = None

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def episodes(self) -> Path:
        return self.path / "episodes.csv"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.npz"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    def create(self, config: dict[str, Any]) -> None:
        """Start a new run. Raises RunError if something is there already."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise RunError(
                say(f"run {self.path}", "already exists", remedy="use --resume, or another --out")
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.config, config)
        except OSError as exc:
            raise RunError(say(f"run {self.path}", "can't be written", got=exc.strerror)) from exc

    def read_config(self) -> dict[str, Any]:
        """What the run was started with. Raises RunError if it is missing or damaged."""
        if not self.path.is_dir():
            raise RunError(
                say(f"run {self.path}", "no such run directory", remedy="make it by neurorl train")
            )
        try:
            config = json.loads(self.config.read_text())
        except FileNotFoundError as exc:
            raise RunError(say(f"run {self.path}", "is not a run: config.json is missing")) from exc
        except (OSError, ValueError) as exc:
            raise RunError(say(f"run {self.path}", "config.json is damaged", got=exc)) from exc
        if not isinstance(config, dict) or not {"env", "backend", "seed", "agent"} <= set(config):
            raise RunError(say(f"run {self.path}", "config.json is of something else"))
        return {"approach": "local", **config}  # the only one there was at first

    def rewind(self, episodes: Sequence[Episode]) -> None:
        """Make ``episodes.csv`` hold exactly *episodes*, and open it for more."""
        self.close()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(episode) for episode in episodes)
        write_bytes(self.episodes, text.getvalue().encode())
        self._rows = self.episodes.open("a", newline="")

    def append(self, episode: Episode) -> None:
        """Add a row; it is in the file when this returns."""
        assert self._rows is not None
        csv.writer(self._rows, lineterminator="\n").writerow(_row(episode))
        self._rows.flush()

    def read_episodes(self) -> dict[str, list[float]]:
        """The columns of ``episodes.csv``. Raises RunError if it is missing or damaged."""
        try:
            with self.episodes.open(newline="") as file:
                rows = list(csv.DictReader(file))
            return {name: [float(row[name]) for row in rows] for name in COLUMNS}
        except OSError as exc:
            raise RunError(say(f"run {self.path}", "episodes.csv can't be read", got=exc)) from exc
        except (KeyError, TypeError, ValueError) as exc:
            raise RunError(say(f"run {self.path}", "episodes.csv is damaged", got=exc)) from exc

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None


def _row(e: Episode) -> tuple[str, ...]:
    numbers = (e.episode, e.ret, e.length, e.env_steps, round(e.wall_s, 6), e.discounted)
    return tuple(repr(n) for n in numbers)
