"""Find pretrained agents by name: ``zoo:cartpole-lif`` stands for a run wherever one is read.

`scripts/zoo.py` makes them. Each has a folder in ``pretrained/agents/``, a run directory with a
card (README.md) whose checkpoint is compressed; ``pretrained/agents.json`` says what is there, and
the digest of every file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from neurorl.errors import check_name
from neurorl.storage.reading import FilePlace, check_fields, read_bytes, read_json

__all__ = [
    "AGENTS",
    "ON_CHIP",
    "PREFIX",
    "ZooAgent",
    "agents",
    "find",
    "is_within",
    "located",
    "name_of",
]

PREFIX = "zoo:"
"""Begin the name of a pretrained agent with it, where a run is named."""
AGENTS = Path(__file__).parents[1] / "pretrained" / "agents"
"""Name the folder of their runs."""
ON_CHIP = "loihi:loihi"
"""Name the backend and arithmetic in which every agent was played."""
_LARGEST = 2**24
_REMEDY = "install neurorl again"


@dataclass(frozen=True)
class ZooAgent:
    """Hold what ``agents.json`` says of an agent.

    rule: of its learning, or the algorithm that has none. arithmetic: in which it learned.
    episodes: of training. figure: what *returns* are, ``'return'`` or ``'discounted return'``;
    these are mean greedy ones by backend and arithmetic, such as ``loihi:loihi``. verdict: of
    `neurorl.validate` on every backend. files: SHA-256 of each file of its folder.
    """

    name: str
    env: str
    model: str
    rule: str
    arithmetic: str
    seed: int
    episodes: int
    figure: str
    returns: Mapping[str, float]
    verdict: str
    files: Mapping[str, str]

    @classmethod
    def from_dict(cls, data: Any, place: FilePlace) -> Self:
        """Return one from plain data. Raises RunError if it is of something else."""
        kinds = {"seed": int, "episodes": int, "returns": dict, "files": dict}
        names = [field.name for field in dataclasses.fields(cls)]
        check_fields(data, place, {name: kinds.get(name, str) for name in names}, {})
        return cls(**{name: data[name] for name in names})


@functools.cache
def agents() -> Mapping[str, ZooAgent]:
    """Return all pretrained agents by name. Raises RunError if their list is damaged."""
    place = FilePlace("zoo", "agents.json", _REMEDY)
    data = read_json(AGENTS.parent / "agents.json", place, _LARGEST)
    listed = [ZooAgent.from_dict(each, place) for each in check_list(data, place)]
    return {agent.name: agent for agent in listed}


def check_list(data: object, place: FilePlace) -> list[Any]:
    """Return *data*, the list of a field ``agents``. Raises RunError for anything else."""
    listed: list[Any] = check_fields(data, place, {"agents": list}, {})["agents"]
    return listed


def find(name: str) -> Path:
    """Return the run directory of the agent *name*, with or without ``zoo:`` before it.

    Raises UnknownNameError, or RunError for one that isn't as it was made.
    """
    name = name.removeprefix(PREFIX)
    check_name("pretrained agent", name, agents())
    folder = AGENTS / name
    for file, digest in agents()[name].files.items():
        place = FilePlace(f"{PREFIX}{name}", file, _REMEDY)
        if hashlib.sha256(read_bytes(folder / file, _LARGEST, place)).hexdigest() != digest:
            raise place.wrong("is damaged: its digest doesn't match")
    return folder


def located(path: str | os.PathLike[str]) -> Path:
    """Return *path*, or the run directory of the agent that it names by ``zoo:NAME``; see `find`.

    A file or folder of that very name comes first.
    """
    text = os.fspath(path)
    if text.startswith(PREFIX) and not os.path.lexists(text):
        return find(text)
    return Path(path)


def is_within(path: Path) -> bool:
    """Return whether *path* is of a pretrained agent: files of one's own belong elsewhere."""
    return path.absolute().is_relative_to(AGENTS)


def name_of(path: Path) -> str:
    """Return what a reader calls a run: its path, or ``zoo:NAME``."""
    return f"{PREFIX}{path.name}" if is_within(path) else str(path)
