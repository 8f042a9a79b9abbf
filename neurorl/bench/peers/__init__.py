"""What a user would take instead of neurorl; each is measured only if it is installed.

Every module has ``make(size, replicas) -> Loop`` and imports its library only there.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from neurorl.bench.loops import Loop
from neurorl.bench.workload import Size

__all__ = ["PEERS", "Peer", "make", "missing"]


@dataclass(frozen=True)
class Peer:
    """module: with ``make``. package: what it imports. distributions: of the versions reported."""

    module: str
    package: str
    distributions: tuple[str, ...]


PEERS: dict[str, Peer] = {
    "numpy": Peer("neurorl.bench.numpy_agent", "numpy", ("numpy",)),
    "jax": Peer("neurorl.bench.peers.jax", "jax", ("jax",)),
    "pytorch": Peer("neurorl.bench.peers.torch", "torch", ("torch",)),
    "netrun": Peer("neurorl.bench.peers.netrun", "brian2", ("brian2",)),
    "spikingjelly": Peer(
        "neurorl.bench.peers.spikingjelly", "spikingjelly", ("spikingjelly", "torch")
    ),
    "bindsnet": Peer("neurorl.bench.peers.bindsnet", "bindsnet", ("bindsnet", "torch")),
}


def missing(name: str) -> str | None:
    """Why a peer can't be measured here; None if its package is installed."""
    package = PEERS[name].package
    if importlib.util.find_spec(package) is not None:
        return None
    return f"{name}: not installed (pip install {PEERS[name].distributions[0]})"


def make(name: str, size: Size, replicas: int) -> Loop:
    """The peer's loop; raises UnsupportedError if it has no replicas."""
    module: Any = importlib.import_module(PEERS[name].module)
    loop: Loop = module.make(size, replicas)
    return loop
