"""Order populations: a whole window at once if no spike comes back, else step by step."""

from __future__ import annotations

from neurorl.network.description import Network

__all__ = ["groups"]


def groups(network: Network) -> list[tuple[str, ...]]:
    """Return the populations in groups, each group after those that lead to it.

    Populations of one group lead to one another, so they advance together, step by step. A
    population that doesn't lead back to itself is a group of its own.
    """
    names = [p.name for p in network.populations]
    reaches = {name: _reached(network, name) for name in names}
    before = {name: {other for other in names if name in reaches[other]} for name in names}
    ordered: list[tuple[str, ...]] = []
    for name in sorted(names, key=lambda name: len(before[name] | {name})):
        mutual = tuple(k for k in names if k == name or (k in before[name] and k in reaches[name]))
        if mutual not in ordered:
            ordered.append(mutual)
    return ordered


def _reached(network: Network, name: str) -> set[str]:
    """Return the populations that spikes of *name* can reach, over any number of projections."""
    reached = {p.post for p in network.projections if p.pre == name}
    for _ in network.nodes:
        reached |= {p.post for p in network.projections if p.pre in reached}
    return reached
