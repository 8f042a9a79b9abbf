"""Lower a network to a program: names are resolved, and what never changes is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic, ChipArithmetic
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.network.description import Network, Node, Population
from neurorl.network.neuron import MAX_WORDS, StepPlan
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import Stream
from neurorl.program.membranes import membrane_on_chip, xylo_node
from neurorl.program.program import Draw, NodeProgram, Program
from neurorl.program.projections import projection_program, release_of, with_release


def lower(
    network: Network, arithmetic: Arithmetic, depths: Mapping[str, int], seeds: Sequence[int]
) -> Program:
    """Return the program of a network.

    network: all replicas as one network. arithmetic: of the same, with its coins. depths: by node,
    the steps for which its spikes are kept. seeds: of the replicas.
    """
    spiking = network.spiking
    numbers = {node.name: k for k, node in enumerate(spiking.nodes)}
    nodes = [lower_node(network, arithmetic, node, depths[node.name]) for node in spiking.nodes]
    for p in spiking.projections:
        if p.short_term:
            k = numbers[p.pre]
            nodes[k] = with_release(nodes[k], release_of(network, p))
    projections = [projection_program(network, arithmetic, p, nodes) for p in spiking.projections]
    if any(node.limits for node in nodes):  # sums depend on their order: inputs, then neurons
        projections.sort(key=lambda p: (not nodes[p.pre].is_source, p.pre))
    return Program(tuple(seeds), tuple(nodes), tuple(p for p in projections if p.n_weights))


def lower_node(network: Network, arithmetic: Arithmetic, node: Node, depth: int = 1) -> NodeProgram:
    """Return the program of a source or population alone, without what its spikes release."""
    if not isinstance(node, Population):
        return NodeProgram(node.name, node.size, depth, is_source=True)
    if isinstance(arithmetic, ChipArithmetic):
        made = membrane_on_chip(network, arithmetic, node.name, depth)
    elif isinstance(arithmetic, XyloArithmetic):
        made = xylo_node(arithmetic, node.name, depth)
    else:
        made = _in_float(network, node, depth)
    dead = made.refractory if made.refractory is not None and made.refractory.any() else None
    return replace(made, constants=_shared(made.constants), refractory=dead)


def _in_float(network: Network, node: Population, depth: int) -> NodeProgram:
    plan = node.plan(network.dt).hoisted()
    lines = (*plan.update, *plan.reset)
    valued = (p for p in network.projections if network.analog.get(p.pre) == "values")
    driven = dict.fromkeys(network.target(p) for p in valued if p.post == node.name)
    used = {*plan.threshold.names, *(name for line in lines for name in line.value.names)}
    return NodeProgram(
        name=node.name,
        size=node.size,
        depth=depth,
        is_source=False,
        initial=plan.initial,
        constants={name: x for name, x in plan.constants.items() if name in used},
        inputs=plan.inputs,
        update=plan.update,
        threshold=plan.threshold,
        reset=plan.reset,
        held=plan.held,
        biased=network.biased(node.name) if plan.bias is None else None,
        names_bias=plan.bias is not None,
        refractory=plan.refractory_steps,
        draws=_draws(plan, network.index(node.name)),
        driven=tuple(driven),
    )


def _draws(plan: StepPlan, index: int) -> dict[str, Draw]:
    """Return what a population draws; index: its number in the network."""
    draws = {"logistic": Draw(index, is_logistic=True)} if plan.is_noisy else {}
    for k, name in enumerate(plan.words):
        draws[name] = Draw(Stream.OF_EQUATIONS + MAX_WORDS * index + k)
    return draws if plan.clock is None else draws | {plan.clock: Draw(None)}


def _shared(constants: Mapping[str, Array]) -> dict[str, FloatArray]:
    """Return constants in float64; one number where all neurons have the same bits."""
    shared = {}
    for name, value in constants.items():
        array = np.ascontiguousarray(value, dtype=np.float64)
        # As bits: nan equals itself then, and -0.0 isn't 0.0.
        bits = array.reshape(-1).view(np.int64)
        shared[name] = array.reshape(-1)[0] if (bits == bits[0]).all() else array
    return {name: np.asarray(value) for name, value in shared.items()}
