"""List who updates a case, and how: each way is a callable that makes one update."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks.training import cells
from benchmarks.training.cases import Case
from benchmarks.training.layered import Cells, Layered
from benchmarks.training.ours import Ours
from neurorl.errors import unknown_name_error

Update = Callable[[], None]
BASELINE = "neurorl"


@dataclass(frozen=True)
class Library:
    """Describe a library. package: that it imports. cells: of a case."""

    package: str
    cells: Callable[[Case], Cells]


LIBRARIES = {
    "pytorch": Library("torch", cells.make_pytorch),
    "snntorch": Library("snntorch", cells.make_snntorch),
    "spikingjelly": Library("spikingjelly", cells.make_spikingjelly),
    "norse": Library("norse", cells.make_norse),
}


def layered(name: str, case: Case, in_blocks: bool = False) -> Layered:
    """Return a peer's network of a case, its replicas as one batch of matrices."""
    seeds = tuple(range(case.replicas))
    return Layered(case, LIBRARIES[name].cells(case), in_blocks, seeds)


def ways(
    case: Case, peers: Sequence[str] | None = None
) -> tuple[dict[tuple[str, str], Update], list[str]]:
    """Return the ways by name and form, ours first; and notes on what isn't installed.

    peers: None takes all. Raises UnknownNameError.
    """
    silent = dataclasses.replace(case, noise=0.0)
    updates: dict[tuple[str, str], Update] = {}
    notes = []
    for loop in (False, True) if case.replicas > 1 else (False,):
        form = "loop" if loop else "one batch"
        updates[BASELINE, form] = Ours(case, loop=loop)
        updates[f"{BASELINE}, no noise", form] = Ours(silent, loop=loop)
    updates[f"{BASELINE}, eager", "one batch"] = Ours(case, engine="eager")
    updates[f"{BASELINE}, chip's integers", "one batch"] = Ours(case, arithmetic="loihi")
    for name in LIBRARIES if peers is None else peers:
        if name not in LIBRARIES:
            raise unknown_name_error("peer", name, LIBRARIES)
        if find_spec(LIBRARIES[name].package) is None:
            notes.append(f"{name}: not installed (pip install {name})")
            continue
        updates |= _forms(name, silent)
        if name == "pytorch":
            updates |= {
                (f"{name}, noise", form): way for (_, form), way in _forms(name, case).items()
            }
    return updates, notes


def _forms(name: str, case: Case) -> dict[tuple[str, str], Update]:
    """Return all forms of a peer's: the quickest counts."""
    updates: dict[tuple[str, str], Update] = {}
    for form, in_blocks in (("dense", False), ("blocks", True)):
        updates[name, form] = layered(name, case, in_blocks).update
        if case.replicas > 1:
            one = dataclasses.replace(case, replicas=1)
            make = LIBRARIES[name].cells
            each = [Layered(one, make(one), in_blocks, (k,)) for k in range(case.replicas)]
            updates[name, f"{form}, loop"] = _all_of(each)
    return updates


def _all_of(networks: Sequence[Layered]) -> Update:
    def update() -> None:
        for network in networks:
            network.update()

    return update
