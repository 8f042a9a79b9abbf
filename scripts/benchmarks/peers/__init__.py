"""Run the workload in other libraries; each is measured only if it is installed.

Every module has ``make(size, replicas) -> Loop`` and imports its library only there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from neurorl.backends.spec import BackendSpec
from neurorl.bench.candidates import Candidate
from neurorl.errors import unknown_name_error

__all__ = ["PEERS", "Peer", "candidates", "missing"]


@dataclass(frozen=True)
class Peer:
    """Describe another library, or a program by hand, that runs the workload.

    module: has ``make``. package: what it imports. distributions: whose versions are reported.
    builds, drags: see `neurorl.bench.candidates.Candidate`.
    """

    module: str
    package: str
    distributions: tuple[str, ...]
    builds: bool = False
    drags: bool = False


PEERS: dict[str, Peer] = {
    "numpy": Peer("benchmarks.peers.numpy", "numpy", ("numpy",)),
    "jax": Peer("benchmarks.peers.jax", "jax", ("jax",)),
    "pytorch": Peer("benchmarks.peers.torch", "torch", ("torch",)),
    "netrun": Peer("benchmarks.peers.netrun", "brian2", ("brian2",), True, True),
    "spikingjelly": Peer(
        "benchmarks.peers.spikingjelly", "spikingjelly", ("spikingjelly", "torch")
    ),
    "bindsnet": Peer("benchmarks.peers.bindsnet", "bindsnet", ("bindsnet", "torch")),
}


def missing(name: str) -> str | None:
    """Explain why a peer can't be measured here; None if its package is installed."""
    package = PEERS[name].package
    if importlib.util.find_spec(package) is not None:
        return None
    return f"{name}: not installed (pip install {PEERS[name].distributions[0]})"


def candidates(names: Sequence[str] | None) -> tuple[list[Candidate], list[str]]:
    """Return the installed peers, with the block form of the floor, and notes on the others.

    names: None takes all. Raises UnknownNameError for a name that no peer has.
    """
    chosen, notes = [Candidate(BackendSpec("c-floor", engine="block"), builds=True)], []
    for name in PEERS if names is None else names:
        if name not in PEERS:
            raise unknown_name_error("peer", name, PEERS)
        note = missing(name)
        if note is not None:
            notes.append(note)
            continue
        peer = PEERS[name]
        chosen.append(Candidate(BackendSpec(name), peer.module, peer.builds, peer.drags))
    return chosen, notes
