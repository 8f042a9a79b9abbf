"""Count the projections between the inputs of a graph and each of its neurons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["cycles", "levels"]

Edge = tuple[str, str]


def cycles(names: Sequence[str], edges: Iterable[Edge]) -> list[frozenset[str]]:
    """Return the largest sets of nodes that all reach each other, loops of one node included."""
    reach = _reach(names, list(edges))
    groups = {
        frozenset(b for b in names if b in reach[a] and a in reach[b])
        for a in names
        if a in reach[a]
    }
    return sorted(groups, key=lambda nodes: min(names.index(n) for n in nodes))


def levels(names: Sequence[str], edges: Iterable[Edge], sources: Iterable[str]) -> dict[str, int]:
    """Return the projections on the longest acyclic path to each node; 0 for sources.

    The nodes of a cycle share one level. A neuron without inputs has level 1.
    """
    every = list(edges)
    group = {name: frozenset([name]) for name in names}
    group.update({name: cycle for cycle in cycles(names, every) for name in cycle})
    level = {name: 0 if name in set(sources) else 1 for name in names}
    for _ in names:
        for pre, post in every:
            if group[pre] != group[post]:
                for name in group[post]:
                    level[name] = max(level[name], level[pre] + 1)
    return level


def _reach(names: Sequence[str], edges: list[Edge]) -> dict[str, set[str]]:
    """Return the nodes that each node leads to."""
    after: dict[str, set[str]] = {name: set() for name in names}
    for pre, post in edges:
        after[pre].add(post)
    reach = {}
    for name in names:
        reached: set[str] = set()
        waiting = [*after[name]]
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                waiting += after[node]
        reach[name] = reached
    return reach
