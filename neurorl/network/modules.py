"""Find the hidden layers of an agent's modules, and the way from each to the output.

The layer next to ``output`` is ``hidden``, the ones below it ``hidden_2``, ``hidden_3`` and so on,
counted from the output. A module is a chain of blocks through all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray


def hidden_name(below: int) -> str:
    """Return the name of the hidden layer *below* layers under the output, at least 1."""
    return "hidden" if below == 1 else f"hidden_{below}"


def hidden_layers(network: Network) -> tuple[str, ...]:
    """Return the hidden populations that learn, from the output down, up to the first gap."""
    plastic = {p.post for p in network.projections if p.plasticity is not None}
    layers: list[str] = []
    while hidden_name(len(layers) + 1) in plastic:
        layers.append(hidden_name(len(layers) + 1))
    return tuple(layers)


def module_projections(network: Network) -> tuple[str, ...]:
    """Return the plastic projections of modules, from the output down, each in blocks.

    They are as many as `hidden_layers`, or fewer if a layer isn't divided into modules.
    """
    chain: list[str] = []
    post = "output"
    for pre in hidden_layers(network):
        name = _projection(network, pre, post)
        if name is None:
            break
        chain.append(name)
        post = pre
    return tuple(chain)


def lag(network: Network, layer: str) -> int:
    """Return the steps from a spike of a hidden layer to its effect on the output; at least 1.

    In modules 1 for ``hidden``, 2 for ``hidden_2``, for any delays; fewer for a layer with a
    shorter way to the output.
    """
    below = hidden_layers(network).index(layer) + 1
    return min(below, network.steps(layer, "output") or below)


def chain_weights(
    network: Network, chain: Sequence[str], weights: Mapping[str, FloatArray]
) -> list[FloatArray]:
    """Return the weights of a *chain* of `module_projections`; lists become matrices."""
    lists = {name: network.synapses(name) for name in chain}
    return [weights[n] if s is None else s.dense(weights[n]) for n, s in lists.items()]


def path_weights(weights: Sequence[FloatArray], modules: int) -> list[FloatArray]:
    """Return each hidden unit's sum, over all paths to its module's output, of weight products.

    weights: of `module_projections`. Returns an array ``(n_hidden,)`` for each layer::

        P_1 = w_1                             w_1: hidden to output
        P_d[i] = sum_j w_d[i, j] P_{d-1}[j]   summed in the order of j
    """
    paths: list[FloatArray] = []
    ahead = np.ones((modules, 1))
    for w in weights:
        inside = w.reshape(modules, -1, ahead.shape[1])
        total = np.zeros(inside.shape[:2])
        for j in range(ahead.shape[1]):
            total += inside[:, :, j] * ahead[:, j, None]
        paths.append(total.ravel())
        ahead = total
    return paths


def _projection(network: Network, pre: str, post: str) -> str | None:
    for p in network.projections:
        inside = (p.pre, p.post) == (pre, post) and p.plasticity is not None
        if inside and p.blocks == network.node("output").size:
            return p.name
    return None
