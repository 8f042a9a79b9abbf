"""Take a NIR graph apart into spiking nodes and the linear maps between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.network.limits import MAX_WEIGHTS, check_limit
from neurorl.network.serialization import FloatArray

__all__ = ["Drive", "SpikingGraph", "Term"]

NEURONS = ("LIF", "CubaLIF", "IF", "Threshold")
_OF_NEURONS = ("tau", "tau_syn", "tau_mem", "r", "w_in", "v_leak", "v_threshold", "v_reset")
_PARAMETERS = frozenset((*_OF_NEURONS, "threshold", "metadata", "input_type", "output_type"))
_MOST_WAYS, _LONGEST_WAY = 20_000, 200
_LINEAR = ("Linear", "Affine", "Scale", "Delay", "Flatten")


@dataclass(frozen=True)
class Term:
    """Hold what one spiking node adds to an input.

    weights: ``(n_post, n_pre)``, or ``(n,)`` for one synapse to each neuron.
    delay: seconds, of the Delay nodes on the way. path: names of the linear nodes on the way.
    """

    pre: str
    weights: FloatArray
    delay: float = 0.0
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drive:
    """Hold an input: the terms, and a constant ``(n,)`` that is added in every step."""

    terms: tuple[Term, ...]
    constant: FloatArray


class SpikingGraph:
    """Hold a graph's sources and neurons, with the `Drive` of each, subgraphs taken apart.

    Raises UnsupportedError naming every node that isn't a source, a neuron that spikes or linear.
    """

    def __init__(self, graph: Any) -> None:
        self.nodes: dict[str, Any] = {}
        self._edges: list[tuple[str, str]] = []
        self._take_apart(graph, "")
        self._into: dict[str, list[str]] = {name: [] for name in self.nodes}
        for pre, post in dict.fromkeys(self._edges):
            for end in (pre, post):
                if end not in self.nodes:
                    raise DescriptionError(f"NIR edge {pre!r}, {post!r}", "no such node")
            self._into[post].append(pre)
        self._refuse_unknown()
        self.sources = [n for n in self.nodes if self._is(n, "Input") and not self._into[n]]
        self.neurons = [n for n in self.nodes if self._is(n, *NEURONS)]
        self._refuse_more_state()
        self._refuse_readouts()
        self._widths: dict[str, int] = {}
        self._ways = 0

    def drive(self, name: str) -> Drive:
        """Return the input of a node."""
        return self._input(name, ())

    def width(self, name: str) -> int:
        """Return how many numbers a node puts out. Raises DescriptionError if nothing says so."""
        if name not in self._widths:
            width = self._find_width(name, ())
            if not width:
                raise DescriptionError(f"NIR node {name!r}", "its size is given nowhere")
            self._widths[name] = width
        return self._widths[name]

    def _take_apart(self, graph: Any, prefix: str) -> None:
        for name, node in graph.nodes.items():
            if _kind(node) == "NIRGraph":
                self._take_apart(node, f"{prefix}{name}.")
            else:
                self.nodes[prefix + name] = node
        for pre, post in graph.edges:
            self._edges.append(
                (prefix + _port(graph, pre, "Output"), prefix + _port(graph, post, "Input"))
            )

    def _is(self, name: str, *kinds: str) -> bool:
        return _kind(self.nodes[name]) in kinds

    def _refuse_unknown(self) -> None:
        known = ("Input", "Output", *NEURONS, *_LINEAR)
        unknown_nodes = [
            f"{n!r} ({_kind(node)})" for n, node in self.nodes.items() if not self._is(n, *known)
        ]
        if unknown_nodes:
            limit = ", ".join(known)
            raise UnsupportedError("NIR", f"can't run {', '.join(unknown_nodes)}", limit=limit)

    def _refuse_more_state(self) -> None:
        """Refuse parameters of a known neuron that isn't known to have them."""
        parameters = [
            f"{name!r} ({_kind(self.nodes[name])}) with {parameter!r}"
            for name in self.neurons
            for parameter, value in vars(self.nodes[name]).items()
            if parameter not in _PARAMETERS and value is not None
        ]
        if parameters:
            what = f"can't run {', '.join(parameters)}, which has no counterpart"
            raise UnsupportedError("NIR", what, remedy="leave it out")

    def _refuse_readouts(self) -> None:
        """Refuse a linear node that leads to no neuron, as it would be lost."""
        leads = set(self.neurons)
        for _ in self.nodes:
            leads |= {pre for post in leads for pre in self._into[post]}
        lost = [
            n for n in self.nodes if self._is(n, "Linear", "Affine", "Scale") and n not in leads
        ]
        if lost:
            what = f"{', '.join(map(repr, lost))}: a readout without neurons"
            raise UnsupportedError("NIR", what, remedy="end the graph with neurons that spike")

    def _count_way(self, nodes: int) -> None:
        """Raise UnsupportedError for wirings with too many ways between neurons to follow."""
        self._ways += 1
        if self._ways > _MOST_WAYS or nodes > _LONGEST_WAY:
            what = "too many ways, or too long ones, through nodes without neurons"
            raise UnsupportedError("NIR", what)

    def _find_width(self, name: str, behind: tuple[str, ...]) -> int:
        self._count_way(len(behind))
        node = self.nodes[name]
        if self._is(name, "Linear", "Affine"):
            return int(_matrix(name, node).shape[0])
        values = {"Scale": "scale", "Delay": "delay", "IF": "r", "Threshold": "threshold"}
        field = values.get(_kind(node), "v_threshold")
        shaped = np.asarray(getattr(node, field, 0.0))
        if shaped.ndim:
            return int(shaped.size)
        if self._is(name, "Input"):
            shape = node.input_type["input"]
            if shape is not None:
                return int(np.prod(shape))
        widths = [
            self._find_width(pre, (*behind, name)) for pre in self._into[name] if pre not in behind
        ]
        return max(widths, default=0)

    def _input(self, name: str, behind: tuple[str, ...]) -> Drive:
        terms: list[Term] = []
        constant = np.zeros(1)
        for pre in self._into[name]:
            if pre in behind:
                raise UnsupportedError(f"NIR node {pre!r}", "in a cycle without neurons")
            drive = self._output(pre, behind)
            terms += drive.terms
            _check_size(name, len(drive.constant), len(constant))
            constant = constant + drive.constant
        return Drive(tuple(terms), constant)

    def _output(self, name: str, behind: tuple[str, ...]) -> Drive:
        self._count_way(len(behind))
        if name in self.sources or name in self.neurons:
            return Drive((Term(name, np.ones(self.width(name))),), np.zeros(1))
        node, drive = self.nodes[name], self._input(name, (*behind, name))
        if self._is(name, "Linear", "Affine"):
            return _through_matrix(name, node, drive)
        if self._is(name, "Scale"):
            scale = np.asarray(node.scale, dtype=np.float64).ravel()
            for size in (len(drive.constant), *(len(t.weights) for t in drive.terms)):
                _check_size(name, size, len(scale))
            terms = tuple(
                Term(t.pre, _scaled(scale, t.weights), t.delay, (*t.path, name))
                for t in drive.terms
            )
            return Drive(terms, scale * drive.constant)
        if self._is(name, "Delay"):
            delay = _one_delay(name, node)
            terms = tuple(Term(t.pre, t.weights, t.delay + delay, t.path) for t in drive.terms)
            return Drive(terms, drive.constant)
        return drive


def _kind(node: Any) -> str:
    return type(node).__name__


def _port(graph: Any, name: str, kind: str) -> str:
    """Return a subgraph's own input or output node, for an edge that leads to or from it."""
    node = graph.nodes.get(name)
    if node is None or _kind(node) != "NIRGraph":
        return name
    ports = [inner for inner, inside in node.nodes.items() if _kind(inside) == kind]
    if len(ports) != 1:
        what = f"a subgraph needs one {kind} node"
        raise UnsupportedError(f"NIR node {name!r}", what, got=len(ports))
    return f"{name}.{ports[0]}"


def _matrix(name: str, node: Any) -> FloatArray:
    matrix = np.asarray(node.weight, dtype=np.float64)
    if matrix.ndim != 2:
        raise UnsupportedError(f"NIR node {name!r}", "weights aren't a matrix", got=matrix.shape)
    return matrix


def _through_matrix(name: str, node: Any, drive: Drive) -> Drive:
    matrix = _matrix(name, node)
    terms = []
    for t in drive.terms:
        if len(t.weights) != matrix.shape[1]:
            what = "takes another number of inputs"
            raise DescriptionError(
                f"NIR node {name!r}", what, got=len(t.weights), limit=matrix.shape[1]
            )
        check_limit(f"NIR node {name!r}", "weights", len(matrix) * t.weights.shape[-1], MAX_WEIGHTS)
        weights = matrix @ t.weights if t.weights.ndim == 2 else matrix * t.weights
        terms.append(Term(t.pre, weights, t.delay, (*t.path, name)))
    bias = np.asarray(getattr(node, "bias", 0.0), dtype=np.float64).ravel()
    _check_size(name, len(bias), len(matrix))
    _check_size(name, len(drive.constant), matrix.shape[1])
    constant = np.broadcast_to(drive.constant, (matrix.shape[1],))
    # Without a constant there is nothing to round.
    through = matrix @ constant if constant.any() else np.zeros(len(matrix))
    return Drive(tuple(terms), through + bias)


def _check_size(name: str, size: int, other: int) -> None:
    """Raise DescriptionError unless one is 1 or both are equal."""
    if size != other and 1 not in (size, other):
        what = "takes inputs of another size"
        raise DescriptionError(f"NIR node {name!r}", what, got=size, limit=other)


def _scaled(scale: FloatArray, weights: FloatArray) -> FloatArray:
    return scale[:, None] * weights if weights.ndim == 2 else scale * weights


def _one_delay(name: str, node: Any) -> float:
    delays = np.unique(np.asarray(node.delay, dtype=np.float64))
    if len(delays) != 1:
        raise UnsupportedError(f"NIR node {name!r}", "has several delays", got=delays)
    return float(delays[0])
