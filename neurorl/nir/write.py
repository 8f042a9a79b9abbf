"""Write files for one reader, with nodes that it plays like our neurons, spike by spike."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.models import GLM
from neurorl.network.description import Network
from neurorl.network.serialization import number
from neurorl.nir.layout import Layout
from neurorl.nir.package import DroppedWarning, NirObject, load_package, write_graph
from neurorl.nir.parts import Parts
from neurorl.nir.readers import Form, Reader, find_reader
from neurorl.nir.standard import StandardWriter
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData

FORM = "reader"
"""Name, in a file's metadata, the form in which layers answer within a step."""


def exact_graph(nir: NirObject, form: Form, reader: Reader, dt: float) -> NirObject:
    """Return the graph of a form for a reader with this step."""
    nodes: PlainData = {"input": nir.Input(np.array([form.layers[0].weights.shape[1]]))}
    edges: list[tuple[str, str]] = []
    layout = Layout(sources=[("input", form.layers[0].weights.shape[1])])
    layout.lag, layout.lead = form.lag, form.lead
    before = "input"
    for k, layer in enumerate(form.layers, 1):
        tail = "" if len(form.layers) == 1 else f"_{k}"
        weights, neurons = f"weights{tail}", f"neurons{tail}"
        node, gain = reader.nodes(nir, layer, dt)
        if layer.name is not None:
            layout.names[neurons] = layer.name
        matrix, bias = gain[:, None] * layer.weights, gain * layer.bias
        nodes[weights] = nir.Affine(matrix, bias) if bias.any() else nir.Linear(matrix)
        nodes[neurons] = node
        edges += [(before, weights), (weights, neurons)]
        if layer.loop is not None:
            # Before the edge to the next layer: Norse runs nodes in the order of the edges.
            edges += _add_loop(nir, nodes, neurons, tail, gain[:, None] * layer.loop, reader)
        before = neurons
    width = len(form.layers[-1].threshold)
    if form.pick is not None:
        nodes["pick"] = nir.Linear(np.eye(width)[list(form.pick)])
        edges.append((before, "pick"))
        layout.readouts.append("pick")
        before, width = "pick", len(form.pick)
    nodes["output"] = nir.Output(np.array([width]))
    edges.append((before, "output"))
    metadata = {"writer": "neurorl", "form": FORM, "reader": reader.name, "dt": dt}
    metadata |= {"discretisation": "euler", **layout.metadata()}
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def _add_loop(
    nir: NirObject, nodes: PlainData, neurons: str, tail: str, weights: FloatArray, reader: Reader
) -> list[tuple[str, str]]:
    """Add the edges of a loop: two matrices, as snnTorch mistakes one for a separate network."""
    recurrent, feedback = f"recurrent{tail}", f"feedback{tail}"
    nodes[recurrent] = nir.Linear(weights)
    if reader.has_loop:
        return [(neurons, recurrent), (recurrent, neurons)]
    nodes[feedback] = nir.Linear(np.eye(len(weights)))
    return [(neurons, recurrent), (recurrent, feedback), (feedback, neurons)]


class Written(NamedTuple):
    """Hold a ``nir.NIRGraph``, and a line for each feature that it leaves out."""

    graph: NirObject
    dropped: tuple[str, ...]

    @property
    def lag(self) -> int | None:
        """Return by how many steps output spikes come earlier where layers answer within a step.

        None if it depends on the path of the spike.
        """
        layout = Layout.of(self.graph.metadata)
        return None if layout is None else layout.lag

    @property
    def lead(self) -> int:
        """Return the silent steps, with biases on, that a reader needs before the input."""
        layout = Layout.of(self.graph.metadata)
        return 0 if layout is None else layout.lead


def to_nir(
    network: Network,
    weights: Mapping[str, npt.ArrayLike] | None = None,
    path: str | Path | None = None,
    *,
    reader: str | Reader | None = None,
    dt: float | None = None,
    always_on: Iterable[str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Written:
    """Return the NIR graph of a network for inference, written to *path* if that is given.

    weights: weights of projections by name, such as ``backend.weights(name)``, in place of the
    description's; needed for weights that a seed draws. Sources become one Input ``input``, with
    channels in order; populations become LIF, CubaLIF or IF (no leak), or if they never spike and
    drive nothing LI, CubaLI or I; projections become Linear, Affine or Scale (neuron to neuron); a
    delay of d steps a Delay of d - 1. Populations that drive no other one, and one named
    ``output``, lead to the Output ``output``.
    always_on: sources with one channel that spikes in every step, which become the bias of an
    Affine node instead of an input; None means one named ``bias``, if there are others.
    shapes: shapes ``(channels, height, width)`` of nodes that are images, by name; a sparse
    projection between two of them becomes a Conv2d, SumPool2d or AvgPool2d if it is a convolution,
    else a Linear with zeros.
    dt: step of the reader, seconds; None is the network's own, or the reader's.

    reader: ``'snntorch'``, ``'spikingjelly'``, ``'norse'`` or a modified one of
    `neurorl.nir.READERS`: this library plays the file with every spike of ours, `Written.lag` steps
    earlier, after `Written.lead` silent steps. What it can't hold raises UnsupportedError with the
    reasons (see `reader_problems`). The form may differ from the network's: all neurons together in
    one population. See docs/nir.md. None writes standard NIR.

    NIR has no plasticity, noise, refractory period or signed unit: each is left out (a signed
    projection becomes weights 2w and a bias), named in `Written.dropped` and in a DroppedWarning.
    Without these, `from_nir` makes a network of the same spikes, bit for bit in float arithmetic.
    (Chip integers differ for projections that are plastic or drawn by a seed: they follow the range
    of the weights, which is the range between their bounds there.)

    Raises ArgumentError for weights that are missing or don't fit, UnsupportedError for sources
    of currents and for a bias that no node can hold.
    """
    chosen = None if reader is None else find_reader(reader)
    parts = Parts(network, weights or {}, always_on, in_force=chosen is not None)
    if dt is not None:
        dt = number("NIR dt", dt, 1e-12)
    nir = load_package()
    if chosen is not None and shapes:
        raise ArgumentError("NIR shapes", "are for standard files", remedy="reader=None")
    if chosen is None:
        images = _checked_shapes(network, shapes or {})
        graph = StandardWriter(nir, parts, network.dt if dt is None else dt, images).graph()
    else:
        form, reasons = chosen.form(parts)
        if form is None:
            remedy = "reader=None writes it as NIR means it"
            what = f"can't hold it {'; '.join(reasons)}"
            raise UnsupportedError(f"NIR for {chosen.name}", what, remedy=remedy)
        graph = exact_graph(nir, form, chosen, chosen.step(dt))
    dropped = _dropped(parts.network)
    for line in dropped:
        warnings.warn(f"NIR has no {line}", DroppedWarning, stacklevel=2)
    if path is not None:
        write_graph(Path(path), graph)
    return Written(graph, dropped)


def reader_problems(
    network: Network,
    weights: Mapping[str, npt.ArrayLike] | None = None,
    *,
    reader: str | Reader,
    always_on: Iterable[str] | None = None,
) -> tuple[str, ...]:
    """Explain, a line for each form, why `to_nir` refuses this network for a reader; or empty."""
    return find_reader(reader).form(Parts(network, weights or {}, always_on, in_force=True))[1]


def _checked_shapes(
    network: Network, shapes: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    checked = {}
    for name, shape in shapes.items():
        checked[name] = tuple(int(n) for n in shape)
        size = network.node(name).size
        if math.prod(checked[name]) != size or min(checked[name], default=0) < 1:
            raise ArgumentError(f"NIR shape of {name!r}", "of another size", got=shape, limit=size)
    return checked


def _dropped(network: Network) -> tuple[str, ...]:
    populations = {p.name: p.integrator(network.dt) for p in network.populations}
    noisy = [name for name, d in populations.items() if d.noise_width.any()]
    dead = [name for name, d in populations.items() if d.refractory_steps.any()]
    signed = [p.name for p in network.projections if p.signed]
    units = [p.name for p in network.populations if isinstance(p.neuron, GLM)]
    kinds = {
        "plasticity: left out of": [p.name for p in network.projections if p.plasticity],
        "stochastic GLM unit: written as a hard threshold,": units,
        "escape noise: left out of": [name for name in noisy if name not in units],
        "refractory period: left out of": dead,
        "signed unit: written as weights 2w and a bias,": signed,
    }
    return tuple(f"{kind} {', '.join(map(repr, names))}" for kind, names in kinds.items() if names)
