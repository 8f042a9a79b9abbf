"""The papers' network: many actors, each with one module of hidden units for every action."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.described import positive
from neurorl.description import (
    Network,
    Neuron,
    Node,
    Plasticity,
    Population,
    Projection,
    Source,
    Uniform,
)

__all__ = ["actor_network", "hidden_name", "hidden_sizes"]


def hidden_sizes(hidden: int | Sequence[int]) -> tuple[int, ...]:
    """Units of a module's hidden layers, from the input to the output; none for 0.

    Raises DescriptionError for what isn't a whole number of units.
    """
    if isinstance(hidden, (tuple, list)):
        return tuple(positive("hidden", size) for size in hidden)
    if isinstance(hidden, (int, np.integer)) and hidden == 0:
        return ()
    return (positive("hidden", hidden),)


def hidden_name(below: int) -> str:
    """Name of the hidden layer so many layers below the output, at least 1."""
    return "hidden" if below == 1 else f"hidden_{below}"


def actor_network(
    n_inputs: int,
    n_actions: int,
    *,
    neuron: Neuron,
    actors: int = 10,
    hidden: int | tuple[int, ...] = 8,
    signed: bool = False,
    trace_tau: float = 0.0,
    initial_hidden: float = 0.2,
    initial_output: float = 0.02,
    bound: float = 1.0,
    critic: int = 0,
    critic_inputs: int = 0,
    currents: bool = False,
    dt: float = 1e-3,
) -> Network:
    """``actors x n_actions`` modules, each ``n_inputs -> hidden -> 1``, every synapse plastic.

    hidden: units of a module's hidden layer, or of each of its hidden layers from the input to the
    output, as in ``(8, 4)``; 0 leaves them out.

    Nodes: source ``input``, source ``bias`` of one channel (let it spike in every step),
    populations ``hidden`` (``actors * n_actions * hidden`` neurons, a module's together, modules
    by actor then action) and ``output`` (``actors * n_actions``). Of several hidden layers the one
    next to the output is ``hidden``, those below are ``hidden_2``, ``hidden_3``... Projections
    are named after their ends, as ``input_hidden``, ``bias_hidden``, ``hidden_output``,
    ``bias_output``; those between layers of a module have a block for each module.

    signed: hidden units transmit +-1, as in the papers. trace_tau: of every synapse (but the
    bias of a layer above hidden units has none), s.
    initial_hidden, initial_output: half-ranges of the uniform initial weights from the input and
    the bias to hidden units, and from hidden units (biases of the output start at 0); without
    hidden units initial_output is that of the input. bound: largest weight.
    currents: all sources are of currents (let the bias be 1).
    critic: neurons of a population ``critic`` that says how much a state is worth, with inputs
    from a source ``critic_input`` of *critic_inputs* channels, weights 0 at first; 0 for none.
    Source: arXiv:2005.05941, arXiv:1910.06489 (populations of actors, one module per action).
    """
    modules = actors * n_actions
    kind = "current" if currents else "spikes"
    nodes: list[Node] = [Source("input", n_inputs, kind), Source("bias", 1, kind)]
    projections: list[Projection] = []

    def connect(
        pre: str,
        post: str,
        spread: float,
        blocks: int = 1,
        signed: bool = False,
        tau: float = trace_tau,
    ) -> None:
        weights = Uniform(-spread, spread) if spread else 0.0
        projections.append(
            Projection(
                f"{pre}_{post}",
                pre,
                post,
                weights,
                blocks=blocks,
                signed=signed,
                plasticity=Plasticity(tau, -bound, bound),
            )
        )

    sizes = (*hidden_sizes(hidden), 1)
    names = [hidden_name(below) for below in range(len(sizes) - 1, 0, -1)] + ["output"]
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        nodes.append(Population(name, modules * size, neuron))
        if number:
            connect(names[number - 1], name, initial_output, blocks=modules, signed=signed)
        else:
            connect("input", name, initial_output if name == "output" else initial_hidden)
        # Beside hidden units, which spike now and then, a bias with a trace would learn too fast.
        tau = 0.0 if number else trace_tau
        connect("bias", name, 0.0 if name == "output" else initial_hidden, tau=tau)
    if critic:
        nodes += [Source("critic_input", critic_inputs, kind), Population("critic", critic, neuron)]
        connect("critic_input", "critic", 0.0)
    return Network(tuple(nodes), tuple(projections), dt)
