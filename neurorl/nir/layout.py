"""Keep features of our network that standard files lack in their metadata, and restore them.

A standard file has one Input ``input`` and one Output ``output``, and no source that is always on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.network.limits import free_name
from neurorl.nir.package import RESERVED, NirObject, load_package

KEY = "layout"


@dataclass
class Layout:
    """Hold the metadata that a standard file needs to become our network again.

    sources: names and sizes of the sources that make up ``input``, in order.
    names: our names of nodes that have others in the file. pre: source of each projection from
    ``input``, where there are several. folded: for each projection from a source that is always on:
    that source, the population, the node whose bias it became, and the delay in seconds. scaled:
    nodes that were one synapse to each neuron. readouts: nodes that pick neurons for ``output``.
    lag, lead: see `neurorl.nir.write.Written`.
    """

    sources: list[tuple[str, int]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    pre: dict[str, str] = field(default_factory=dict)
    folded: dict[str, tuple[str, str, str, float]] = field(default_factory=dict)
    scaled: list[str] = field(default_factory=list)
    readouts: list[str] = field(default_factory=list)
    lag: int | None = None
    lead: int = 0

    def metadata(self) -> dict[str, str]:
        """Return the layout for the metadata of a graph."""
        return {KEY: json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def of(cls, metadata: Mapping[str, object]) -> Layout | None:
        """Return the layout in a graph's metadata, if any. Raises DescriptionError if wrong."""
        if KEY not in metadata:
            return None
        try:
            return cls(**json.loads(text_of(metadata[KEY])))
        except (TypeError, ValueError, RecursionError) as exc:
            raise DescriptionError(f"NIR metadata {KEY!r}", "can't be read", got=exc) from exc


def text_of(value: object) -> str:
    """Return a string of a file's metadata, which h5py gives as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def node_names(populations: list[str], projections: list[str]) -> dict[str, str]:
    """Return the node name of each population and projection: its own, if that is free.

    ``input``, ``output`` and reserved names of PyTorch or Python aren't free.
    """
    taken = {*populations, *projections, "input", "output"}
    tails = dict.fromkeys(populations, "_neurons") | dict.fromkeys(projections, "_weights")
    return {n: free_name(n + tail, taken) if n in RESERVED else n for n, tail in tails.items()}


def restore(graph: NirObject, layout: Layout) -> NirObject:
    """Return copies of the graph's `nodes` and `edges` with our own sources and names.

    Raises DescriptionError if the layout doesn't fit this graph.
    """
    try:
        return _Restorer(graph, layout).graph()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        what = "is that of another graph"
        raise DescriptionError(f"NIR metadata {KEY!r}", what, got=repr(exc)) from exc


class _Restorer:
    """Undo the writer's changes to one graph; see `restore`."""

    def __init__(self, graph: NirObject, layout: Layout) -> None:
        self._nir = load_package()
        self._layout = layout
        gone = {"output", *layout.readouts}
        self._nodes = {name: node for name, node in graph.nodes.items() if name not in gone}
        self._edges = [(a, b) for a, b in graph.edges if a not in gone and b not in gone]

    def graph(self) -> NirObject:
        self._unfold()
        self._split_input()
        names = self._layout.names
        nodes = {names.get(name, name): node for name, node in self._nodes.items()}
        if len(nodes) < len(self._nodes) or not all(isinstance(name, str) for name in nodes):
            raise ValueError("a name for two nodes, or none")
        edges = [(names.get(a, a), names.get(b, b)) for a, b in self._edges]
        return SimpleNamespace(nodes=nodes, edges=edges)

    def _split_input(self) -> None:
        """Give each source an Input, and each matrix behind it the source's columns."""
        if "input" not in self._nodes:
            return
        shape = self._nodes.pop("input").input_type["input"]
        width = int(np.prod(shape))
        ends = np.cumsum([int(size) for _, size in self._layout.sources])
        if not len(ends) or ends[-1] != width or min(np.diff([0, *ends])) < 1:
            raise ValueError("sources of another size")
        ours = zip(self._layout.sources, ends, strict=True)
        columns = {name: slice(int(end) - int(size), int(end)) for (name, size), end in ours}
        self._add_sources(columns)
        only = next(iter(columns)) if len(columns) == 1 else None
        if only is not None:
            self._nodes[_source(only)] = self._nir.Input(np.array(shape))
        for k, (pre, node) in enumerate(self._edges):
            if pre == "input":
                *delays, last = self._to_matrix(node)
                source = only or self._layout.pre[last]
                self._edges[k] = (_source(source), node)
                for name in (*delays, last):
                    self._narrow(name, columns[source])
        for name in self._layout.scaled:
            self._nodes[name] = self._nir.Scale(np.diag(self._nodes[name].weight).copy())

    def _add_sources(self, columns: dict[str, slice]) -> None:
        for name, part in columns.items():
            self._nodes[_source(name)] = self._nir.Input(np.array([part.stop - part.start]))
            self._layout.names[_source(name)] = name

    def _to_matrix(self, name: str) -> list[str]:
        """Return the nodes from here to the first that is neither a delay nor a Flatten."""
        after = dict(self._edges)
        way = [name]
        while type(self._nodes[way[-1]]).__name__ in ("Delay", "Flatten"):
            way.append(after[way[-1]])
            if len(way) > len(self._nodes):
                raise ValueError("a cycle of delays")
        return way

    def _narrow(self, name: str, columns: slice) -> None:
        node = self._nodes[name]
        kind = type(node).__name__
        if kind == "Delay":
            self._nodes[name] = self._nir.Delay(node.delay[columns])
        elif kind == "Affine":
            self._nodes[name] = self._nir.Affine(node.weight[:, columns], node.bias)
        elif kind == "Linear":
            self._nodes[name] = self._nir.Linear(node.weight[:, columns])

    def _unfold(self) -> None:
        """Restore the sources that are always on, and their projections."""
        for name, (source, post, carrier, delay) in self._layout.folded.items():
            node = self._nodes[carrier]
            if carrier == name:
                self._edges = [(a, b) for a, b in self._edges if name not in (a, b)]
            else:
                self._nodes[carrier] = self._nir.Linear(node.weight)
            self._nodes[name] = self._nir.Linear(np.reshape(node.bias, (-1, 1)))
            pre = _source(source)
            if pre not in self._nodes:
                self._add_sources({source: slice(0, 1)})
            if delay > 0:
                self._nodes[f"{name} delay"] = self._nir.Delay(np.array([float(delay)]))
                self._edges.append((pre, f"{name} delay"))
                pre = f"{name} delay"
            self._edges += [(pre, name), (name, post)]


def _source(name: str) -> str:
    """Return the name of a source's node, which no node of our files has."""
    return f"source {name}"
