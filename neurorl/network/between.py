"""Connect parts of two nodes: consecutive neurons, such as ``"cells[:3200]"``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.network.connectors import AllToAll, Connector, Ends, OneToOne, Sparse, check_count
from neurorl.network.limits import MAX_SIZE
from neurorl.network.serialization import number, several
from neurorl.network.synapse_list import SynapseList, listed

Part = tuple[int, int | None]
_ALL: Part = (0, None)
_NAMED = re.compile(r"([A-Za-z]\w*)\[(\d*):(\d*)\]", re.ASCII)


@dataclass(frozen=True, eq=False)
class Between(Sparse):
    """Connect consecutive neurons of two nodes as *connect* says; weights are ``(n_synapses,)``.

    connect: `AllToAll`, `OneToOne` or a sparse connector, for which the parts are the two ends.
    Weights of all to all may be a matrix of the parts. pre, post: the first neuron and the one
    behind the last, None for all that follow.
    """

    connect: Connector = field(default_factory=AllToAll)
    pre: Annotated[Part, _part] = _ALL
    post: Annotated[Part, _part] = _ALL

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.connect, (AllToAll, OneToOne, Sparse)):
            what, remedy = "connects no parts of nodes", "several projections"
            raise DescriptionError("Between.connect", what, got=quoted(self.connect), remedy=remedy)

    def counts(self, ends: Ends) -> tuple[int, int]:
        inner = self._inner(ends)
        if isinstance(self.connect, Sparse):
            return check_count(self.connect, inner)
        if isinstance(self.connect, AllToAll):
            return (inner.n_pre * inner.n_post,) * 2
        if inner.n_pre != inner.n_post:
            got = f"{inner.n_pre} and {inner.n_post}"
            raise DescriptionError(ends.where, "one to one needs two parts of one size", got=got)
        return (inner.n_pre,) * 2

    def matrix(self, ends: Ends) -> tuple[int, int] | None:
        """Return the shape of the parts' matrix of weights; None if not all are connected."""
        inner = self._inner(ends)
        return (inner.n_pre, inner.n_post) if isinstance(self.connect, AllToAll) else None

    def make(self, ends: Ends) -> SynapseList:
        inner = self._inner(ends)
        made = self._made(inner)
        start = np.full(ends.n_pre + 1, len(made), dtype=np.int64)
        first = self.pre[0]
        start[:first] = 0
        start[first : first + inner.n_pre + 1] = made.start
        return SynapseList(start, made.post + np.int32(self.post[0]), ends.n_post)

    def _made(self, inner: Ends) -> SynapseList:
        """Return the synapses between the parts, counted from their first neurons."""
        n_pre, n_post = inner.n_pre, inner.n_post
        if isinstance(self.connect, Sparse):
            return self.connect.make(inner)
        if isinstance(self.connect, OneToOne):
            each = np.arange(n_pre, dtype=np.int32)
            return listed(each, each, (n_pre, n_post))
        start = np.arange(n_pre + 1, dtype=np.int64) * n_post
        return SynapseList(start, np.tile(np.arange(n_post, dtype=np.int32), n_pre), n_post)

    def _inner(self, ends: Ends) -> Ends:
        """Return the parts as ends of their own. Raises DescriptionError for a part beyond them."""
        n_pre = _size(f"{ends.where}, pre", self.pre, ends.n_pre)
        n_post = _size(f"{ends.where}, post", self.post, ends.n_post)
        same = (self.pre[0], n_pre) == (self.post[0], n_post)
        apart = self.pre[0] >= self.post[0] + n_post or self.post[0] >= self.pre[0] + n_pre
        if ends.is_loop and not (same or apart or getattr(self.connect, "autapses", True)):
            what = "autapses=False is for parts that are the same, or apart"
            raise DescriptionError(ends.where, what, remedy="two projections")
        return Ends(ends.name, n_pre, n_post, ends.is_loop and same)


def _part(where: str, value: object) -> Part:
    """Return a checked part."""
    part = several(where, value)
    if len(part) != 2:
        limit = "the first neuron, and the one behind the last or None"
        raise DescriptionError(where, "is no part", got=quoted(value), limit=limit)
    begin, end = part
    if begin != int(number(where, begin, 0, MAX_SIZE)):
        raise DescriptionError(where, "is no whole number", got=begin)
    if end is None:
        return int(begin), None
    if end != int(number(where, end, 0, MAX_SIZE)) or end <= begin:
        raise DescriptionError(where, "ends before it begins", got=quoted(value))
    return int(begin), int(end)


def _size(where: str, part: Part, size: int) -> int:
    """Return how many neurons a part of *size* neurons has."""
    begin, end = part
    if begin >= size or (end or 0) > size:
        got = f"{begin}:{'' if end is None else end}"
        raise DescriptionError(where, "a part beyond the node", got=got, limit=f"0:{size}")
    return (size if end is None else end) - begin


def split_part(text: str) -> tuple[str, Part]:
    """Return name and part of ``NAME[BEGIN:END]``; any other text is a name of all neurons."""
    found = _NAMED.fullmatch(text)
    if found is None:
        return text, _ALL
    name, begin, end = found.groups()
    return name, (int(begin or 0), int(end) if end else None)
