"""Write files for one reader, with nodes that it plays like our neurons, spike by spike."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.nir.forms import Form
from neurorl.nir.layout import Layout
from neurorl.nir.readers import Reader
from neurorl.numerics.arrays import FloatArray

__all__ = ["FORM", "exact_graph"]

FORM = "reader"
"""Name, in a file's metadata, the form in which layers answer within a step."""


def exact_graph(nir: Any, form: Form, reader: Reader, dt: float) -> Any:
    """Return the graph of a form for a reader with this step."""
    nodes: dict[str, Any] = {"input": nir.Input(np.array([form.layers[0].weights.shape[1]]))}
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
        nodes[weights] = _linear(nir, gain[:, None] * layer.weights, gain * layer.bias)
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
    metadata = {
        "writer": "neurorl",
        "form": FORM,
        "reader": reader.name,
        "dt": dt,
        "discretisation": "euler",
        **layout.metadata(),
    }
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def _linear(nir: Any, weights: FloatArray, bias: FloatArray) -> Any:
    return nir.Affine(weights, bias) if bias.any() else nir.Linear(weights)


def _add_loop(
    nir: Any, nodes: dict[str, Any], neurons: str, tail: str, weights: FloatArray, reader: Reader
) -> list[tuple[str, str]]:
    """Add the edges of a loop: two matrices, as snnTorch mistakes one for a separate network."""
    recurrent, feedback = f"recurrent{tail}", f"feedback{tail}"
    nodes[recurrent] = nir.Linear(weights)
    if reader.has_loop:
        return [(neurons, recurrent), (recurrent, neurons)]
    nodes[feedback] = nir.Linear(np.eye(len(weights)))
    return [(neurons, recurrent), (recurrent, feedback), (feedback, neurons)]
