"""The papers' network: many actors, each with one module of hidden units for every action."""

from __future__ import annotations

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

__all__ = ["actor_network"]


def actor_network(
    n_inputs: int,
    n_actions: int,
    *,
    neuron: Neuron,
    actors: int = 10,
    hidden: int = 8,
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

    Nodes: source ``input``, source ``bias`` of one channel (let it spike in every step),
    populations ``hidden`` (``actors * n_actions * hidden`` neurons, a module's together, modules
    by actor then action) and ``output`` (``actors * n_actions``). ``hidden=0`` leaves the hidden
    layer out. Projections: ``input_hidden``, ``bias_hidden``, ``hidden_output``, ``bias_output``,
    or ``input_output``, ``bias_output`` without a hidden layer.

    signed: hidden units transmit +-1, as in the papers. trace_tau: of every synapse (but the
    bias of an output with hidden units has none), s.
    initial_hidden, initial_output: half-ranges of the uniform initial weights of each layer
    (biases of the output start at 0). bound: largest weight.
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

    if hidden:
        nodes.append(Population("hidden", modules * hidden, neuron))
        connect("input", "hidden", initial_hidden)
        connect("bias", "hidden", initial_hidden)
    nodes.append(Population("output", modules, neuron))
    if hidden:
        connect("hidden", "output", initial_output, blocks=modules, signed=signed)
    else:
        connect("input", "output", initial_output)
    # Beside hidden units, which spike now and then, a bias with a trace would learn too fast.
    connect("bias", "output", 0.0, tau=0.0 if hidden else trace_tau)
    if critic:
        nodes += [Source("critic_input", critic_inputs, kind), Population("critic", critic, neuron)]
        connect("critic_input", "critic", 0.0)
    return Network(tuple(nodes), tuple(projections), dt)
