"""Split a NIR graph into neurons and the linear maps between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.network.limits import MAX_WEIGHTS, check_limit
from neurorl.nir.convolution import IMAGES, Kernel, Shape, SparseMap, window_of
from neurorl.nir.package import NirObject
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData

READOUTS = ("LI", "CubaLI", "I")
"""Name the neurons that don't spike; their membranes are outputs of a graph."""
NEURONS = ("LIF", "CubaLIF", "IF", "Threshold", *READOUTS)
_OF_NEURONS = ("tau", "tau_syn", "tau_mem", "r", "w_in", "v_leak", "v_threshold", "v_reset")
_PARAMETERS = frozenset((*_OF_NEURONS, "threshold", "metadata", "input_type", "output_type"))
_MOST_WAYS, _LONGEST_WAY = 20_000, 200
_LINEAR = ("Linear", "Affine", "Scale", "Delay", "Flatten", *IMAGES)
_PARAMETER = {
    "Scale": "scale",
    "Delay": "delay",
    "Threshold": "threshold",
    "IF": "r",
    "I": "r",
    "LI": "v_leak",
    "CubaLI": "v_leak",
}
"""Name the parameter that has the shape of a node's output; by default ``v_threshold``."""


@dataclass(frozen=True)
class Term:
    """Hold the contribution of one spiking node to an input.

    weights: ``(n_post, n_pre)``, ``(n,)`` for one synapse to each neuron, or a list of synapses.
    delay: sum of the Delay nodes on the way, s. path: names of the linear nodes on the way.
    """

    pre: str
    weights: FloatArray | SparseMap
    delay: float = 0.0
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drive:
    """Hold an input: its terms, and a constant ``(n,)`` added in every step."""

    terms: tuple[Term, ...]
    constant: FloatArray


class SpikingGraph:
    """Hold a graph's sources and neurons, each with its `Drive`; subgraphs are flattened.

    Raises UnsupportedError naming every node that isn't a source, a neuron or linear.
    """

    def __init__(self, graph: NirObject) -> None:
        self.nodes: PlainData = {}
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
        self._shapes: dict[str, Shape] = {}
        self._ways = 0

    def width(self, name: str) -> int:
        """Return the size of a node's output. Raises DescriptionError if it isn't given."""
        return math.prod(self.shape(name))

    def shape(self, name: str) -> Shape:
        """Return the shape of a node's output. Raises DescriptionError if it isn't given."""
        if name not in self._shapes:
            shape = self._find_shape(name, ())
            if not shape:
                what = "its size is given nowhere"
                remedy = "give it parameters of its size, or its Input a shape"
                raise DescriptionError(f"NIR node {name!r}", what, remedy=remedy)
            self._shapes[name] = shape
        return self._shapes[name]

    def _take_apart(self, graph: NirObject, prefix: str) -> None:
        for name, node in graph.nodes.items():
            if _kind(node) == "NIRGraph":
                self._take_apart(node, f"{prefix}{name}.")
            else:
                self.nodes[prefix + name] = node
        for pre, post in graph.edges:
            ends = _port(graph, pre, "Output"), _port(graph, post, "Input")
            self._edges.append((prefix + ends[0], prefix + ends[1]))

    def _is(self, name: str, *kinds: str) -> bool:
        return _kind(self.nodes[name]) in kinds

    def _refuse_unknown(self) -> None:
        known = ("Input", "Output", *NEURONS, *_LINEAR)
        odd = [f"{n!r} ({_kind(x)})" for n, x in self.nodes.items() if not self._is(n, *known)]
        if odd:
            raise UnsupportedError("NIR", f"can't run {', '.join(odd)}", limit=", ".join(known))

    def _refuse_more_state(self) -> None:
        """Refuse unknown parameters of a known neuron."""
        parameters = []
        for name in self.neurons:
            given = [x for x, value in vars(self.nodes[name]).items() if value is not None]
            where = f"{name!r} ({_kind(self.nodes[name])})"
            parameters += [f"{where} with {x!r}" for x in given if x not in _PARAMETERS]
        if parameters:
            what = f"can't run {', '.join(parameters)}, which has no counterpart"
            raise UnsupportedError("NIR", what, remedy="leave it out")

    def _refuse_readouts(self) -> None:
        """Refuse linear nodes that lead to no neuron, and values of neurons that lead on."""
        read = {name for name in self.neurons if self._is(name, *READOUTS)}
        for name in self.nodes:
            values = [pre for pre in self._into[name] if pre in read]
            if values and not self._is(name, "Output"):
                kind = _kind(self.nodes[values[0]])
                what = f"{kind}: its value goes on to {name!r}, and only spikes can"
                remedy = "let it end the graph, or take a neuron that spikes"
                raise UnsupportedError(f"NIR node {values[0]!r}", what, remedy=remedy)
        leads = set(self.neurons)
        for _ in self.nodes:
            leads |= {pre for post in leads for pre in self._into[post]}
        linear = ("Linear", "Affine", "Scale", *IMAGES)
        lost = [n for n in self.nodes if self._is(n, *linear) and n not in leads]
        if lost:
            what = f"{', '.join(map(repr, lost))}: a readout without neurons"
            remedy = "end the graph with neurons that spike, or with an LI"
            raise UnsupportedError("NIR", what, remedy=remedy)

    def _count_way(self, nodes: int) -> None:
        """Raise UnsupportedError for wirings with too many paths between neurons."""
        self._ways += 1
        if self._ways > _MOST_WAYS or nodes > _LONGEST_WAY:
            what = "too many ways, or too long ones, through nodes without neurons"
            raise UnsupportedError("NIR", what)

    def _find_shape(self, name: str, behind: tuple[str, ...]) -> Shape:
        """Return the shape of a node's output, empty if it isn't given."""
        if name in self._shapes:
            return self._shapes[name]
        self._count_way(len(behind))
        node, kind = self.nodes[name], _kind(self.nodes[name])
        if kind in ("Linear", "Affine"):
            return (len(_matrix(name, node)),)
        if kind in IMAGES:
            return self._window(name, behind).output
        own = np.shape(getattr(node, _PARAMETER.get(kind, "v_threshold"), 0.0))
        if math.prod(own) > 1 and kind != "Input" and (1 not in own or len(own) == 1):
            return own
        if kind == "Input" and node.input_type["input"] is not None:
            return tuple(int(n) for n in np.ravel(node.input_type["input"]))
        before = self._shape_into(name, behind)
        if kind == "Flatten" and before:
            return (math.prod(before),)
        return before or own

    def _shape_into(self, name: str, behind: tuple[str, ...]) -> Shape:
        """Return the shape of a node's input, the largest of several."""
        behind = (*behind, name)
        shapes = [self._find_shape(n, behind) for n in self._into[name] if n not in behind]
        return max(shapes, key=math.prod, default=())

    def _image_into(self, name: str, behind: tuple[str, ...]) -> Shape:
        """Return the shape of the image that comes into a node, through neurons without one."""
        shape, behind = self._shape_into(name, behind), (*behind, name)
        if len(shape) > 1:
            return shape
        for pre in self._into[name]:
            if pre not in behind and self._is(pre, *NEURONS, "Scale", "Delay"):
                self._count_way(len(behind))
                image = self._image_into(pre, behind)
                if math.prod(image) == math.prod(shape):
                    return image
        return shape

    def _window(self, name: str, behind: tuple[str, ...]) -> Kernel:
        """Return the window of a convolution or a pool."""
        node = self.nodes[name]
        size = getattr(node, "input_shape", None)
        if size is None:
            return window_of(name, node, self._image_into(name, behind))
        kernel = np.shape(node.weight)
        channels = kernel[1] if len(kernel) > 1 else 1
        groups = np.ravel(node.groups)
        grouped = int(groups[0]) if groups.dtype.kind in "iu" and len(groups) else 1
        return window_of(name, node, (channels * grouped, *(int(n) for n in np.ravel(size))))

    def drive(self, name: str, behind: tuple[str, ...] = ()) -> Drive:
        """Return the input of a node. behind: the nodes without neurons between it and neurons."""
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
        node, drive = self.nodes[name], self.drive(name, (*behind, name))
        if self._is(name, "Linear", "Affine"):
            return _through_matrix(name, node, drive)
        if self._is(name, *IMAGES):
            return _through_window(name, self._window(name, ()), drive)
        if self._is(name, "Scale"):
            scale = np.asarray(node.scale, dtype=np.float64).ravel()
            for size in (len(drive.constant), *(len(t.weights) for t in drive.terms)):
                _check_size(name, size, len(scale))
            scaled = [(t, _scaled(scale, t.weights)) for t in drive.terms]
            terms = tuple(Term(t.pre, w, t.delay, (*t.path, name)) for t, w in scaled)
            return Drive(terms, scale * drive.constant)
        if self._is(name, "Delay"):
            delay = _one_delay(name, node)
            terms = tuple(Term(t.pre, t.weights, t.delay + delay, t.path) for t in drive.terms)
            return Drive(terms, drive.constant)
        return drive


def _kind(node: NirObject) -> str:
    return type(node).__name__


def _port(graph: NirObject, name: str, kind: str) -> str:
    """Return a subgraph's own input or output node, for an edge that leads to or from it."""
    node = graph.nodes.get(name)
    if node is None or _kind(node) != "NIRGraph":
        return name
    ports = [inner for inner, inside in node.nodes.items() if _kind(inside) == kind]
    if len(ports) != 1:
        what = f"a subgraph needs one {kind} node"
        raise UnsupportedError(f"NIR node {name!r}", what, got=len(ports))
    return f"{name}.{ports[0]}"


def _matrix(name: str, node: NirObject) -> FloatArray:
    matrix = np.asarray(node.weight, dtype=np.float64)
    if matrix.ndim != 2:
        raise UnsupportedError(f"NIR node {name!r}", "weights aren't a matrix", got=matrix.shape)
    return matrix


def _through_matrix(name: str, node: NirObject, drive: Drive) -> Drive:
    matrix = _matrix(name, node)
    terms = []
    for t in drive.terms:
        _check_inputs(name, len(t.weights), matrix.shape[1])
        terms.append(Term(t.pre, _product(name, matrix, t.weights), t.delay, (*t.path, name)))
    bias = np.asarray(getattr(node, "bias", 0.0), dtype=np.float64).ravel()
    _check_size(name, len(bias), len(matrix))
    _check_size(name, len(drive.constant), matrix.shape[1])
    constant = np.broadcast_to(drive.constant, (matrix.shape[1],))
    # Without a constant nothing is rounded.
    through = matrix @ constant if constant.any() else np.zeros(len(matrix))
    return Drive(tuple(terms), through + bias)


def _product(name: str, matrix: FloatArray, weights: FloatArray | SparseMap) -> FloatArray:
    """Return the weights of a term behind a matrix."""
    n_pre = weights.n_pre if isinstance(weights, SparseMap) else weights.shape[-1]
    check_limit(f"NIR node {name!r}", "weights", len(matrix) * n_pre, MAX_WEIGHTS)
    if isinstance(weights, SparseMap):
        return weights.through(matrix)
    return matrix @ weights if weights.ndim == 2 else matrix * weights


def _through_window(name: str, window: Kernel, drive: Drive) -> Drive:
    slides, size = window.map(), math.prod(window.shape)
    terms = []
    for t in drive.terms:
        _check_inputs(name, len(t.weights), size)
        dense = not isinstance(t.weights, SparseMap) and t.weights.ndim == 2
        first = SparseMap.of_matrix(np.asarray(t.weights)) if dense else t.weights
        weights = slides.after(first, f"NIR node {name!r}")
        terms.append(Term(t.pre, weights, t.delay, (*t.path, name)))
    _check_size(name, len(drive.constant), size)
    constant = np.broadcast_to(drive.constant, (size,))
    bias = np.broadcast_to(window.bias, (window.output[0],))
    through = slides(constant) if constant.any() else np.zeros(len(slides))
    return Drive(tuple(terms), through + np.repeat(bias, math.prod(window.output[1:])))


def _check_inputs(name: str, size: int, limit: int) -> None:
    if size != limit:
        what = "takes another number of inputs"
        raise DescriptionError(f"NIR node {name!r}", what, got=size, limit=limit)


def _check_size(name: str, size: int, other: int) -> None:
    """Raise DescriptionError unless one is 1 or both are equal."""
    if size != other and 1 not in (size, other):
        what = "takes inputs of another size"
        raise DescriptionError(f"NIR node {name!r}", what, got=size, limit=other)


def _scaled(scale: FloatArray, weights: FloatArray | SparseMap) -> FloatArray | SparseMap:
    if isinstance(weights, SparseMap):
        return weights.scaled(np.broadcast_to(scale, (len(weights),)))
    return scale[:, None] * weights if weights.ndim == 2 else scale * weights


def _one_delay(name: str, node: NirObject) -> float:
    delays = np.unique(np.asarray(node.delay, dtype=np.float64))
    if len(delays) != 1:
        raise UnsupportedError(f"NIR node {name!r}", "has several delays", got=delays)
    return float(delays[0])
