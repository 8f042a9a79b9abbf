"""Plan a network for all engines on Brian2; no Brian2 object is made here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import ChipPopulation
from neurorl.arithmetic.rounding import Arithmetic, ChipArithmetic, initial_weights
from neurorl.backends.brian2.equation_neurons import neuron_constants, neuron_text
from neurorl.backends.brian2.equations import (
    NodeText,
    ProjectionText,
    node_name,
    population_text,
    source_text,
)
from neurorl.backends.brian2.equations import projection_text as plain_projection_text
from neurorl.backends.brian2.short_term import (
    released_arrival,
    short_term_constants,
    with_short_term,
)
from neurorl.network.description import Network, Node, Population, Projection
from neurorl.numerics.random import Stream

__all__ = [
    "constants",
    "library_arrays",
    "library_plan",
    "node_text",
    "projection_text",
    "synapses",
    "texts",
]

Array = npt.NDArray[Any]

_MANY = 4096  # neurons whose constants are worth sharing
_SPARSE = 0.25  # if a mask leaves less of all weights, they are a list of synapses


def node_text(network: Network, name: str, arithmetic: Arithmetic, n_replicas: int = 1) -> NodeText:
    """Return the text of a node, with only what its parameters need.

    network: all replicas as one network.
    """
    return with_short_term(network, name, _node_text(network, name, arithmetic, n_replicas))


def projection_text(network: Network, projection: Projection) -> ProjectionText:
    """Return the text of a projection; only synapses that its mask and blocks allow are made."""
    return released_arrival(network, projection, plain_projection_text(network, projection))


def _node_text(network: Network, name: str, arithmetic: Arithmetic, n_replicas: int) -> NodeText:
    node = network.node(name)
    if not isinstance(node, Population):
        return source_text(network, name)
    values = constants(network, node, arithmetic, range(n_replicas))
    plan = node.plan(network.dt)
    if plan is not None:
        return neuron_text(
            plan,
            title=f"population {name!r}",
            name=node_name(network, name),
            size=node.size,
            biased=network.biased(name),
            replicas=n_replicas > 1,
            shared=[key for key, value in values.items() if value.ndim == 0],
        )
    return population_text(
        network,
        node,
        chip=isinstance(arithmetic, ChipArithmetic),
        noise=_noise(values),
        refractory=bool(values["refractory_steps"].any()),
        replicas=n_replicas > 1,
        shared=[key for key, value in values.items() if value.ndim == 0],
    )


def texts(
    network: Network, arithmetic: Arithmetic, n_replicas: int = 1
) -> list[NodeText | ProjectionText]:
    """Return the whole model as text: sources, populations, projections."""
    return [
        *(node_text(network, s.name, arithmetic, n_replicas) for s in network.spiking.sources),
        *(node_text(network, p.name, arithmetic, n_replicas) for p in network.populations),
        *(projection_text(network, projection) for projection in network.spiking.projections),
    ]


def constants(
    network: Network, population: Node, arithmetic: Arithmetic, seeds: Sequence[int] = (0,)
) -> dict[str, Array]:
    """Return the values of the variables that the equations only read, by name.

    seeds: the seed of each replica.

    With several replicas or many neurons, a value that all share is one number, which saves memory.
    """
    size = population.size // len(seeds)
    short = {k: np.array(v) for k, v in short_term_constants(network, population.name).items()}
    if not isinstance(population, Population):
        return short
    values = _parameters(network, population, arithmetic)
    if len(seeds) > 1 or size >= _MANY:
        values = {k: v.flat[0] if (v == v.flat[0]).all() else v for k, v in values.items()}
    if len(seeds) == 1:
        values["seed"] = np.array(seeds[0])
    else:
        values["seed"] = np.repeat(np.array(seeds), size)
        values["neuron"] = np.tile(np.arange(size), len(seeds))
    values["stream"] = np.array(network.index(population.name))
    values["coin_stream"] = values["stream"] + Stream.COINS
    return values | short


def _parameters(
    network: Network, population: Population, arithmetic: Arithmetic
) -> dict[str, Array]:
    """Return the parameters that the equations read, each of shape ``(size,)``."""
    if isinstance(arithmetic, ChipArithmetic):
        chip = arithmetic.chip.populations[population.name]
        return {
            "current_kept": 4095 - chip.current_decay,
            "membrane_kept": 4096 - chip.voltage_decay,
            "threshold": chip.threshold,
            "refractory_steps": chip.refractory - 1,
            **_chip_noise(network, chip, arithmetic),
        }
    plan = population.plan(network.dt)
    if plan is not None:
        return neuron_constants(plan)
    d = population.neuron.dynamics(population.size, network.dt)
    return {
        "current_decay": d.current_decay,
        "membrane_decay": d.membrane_decay,
        "threshold": d.threshold,
        "noise_width": d.noise_width,
        "refractory_steps": d.refractory_steps,
    }


def _chip_noise(
    network: Network, chip: ChipPopulation, arithmetic: ChipArithmetic
) -> dict[str, Array]:
    """Return the parameters of escape noise, or of the chip's own noise and its coins.

    For coins that is what each coin of a neuron transmits.
    """
    if not chip.noise_exponent:
        return {"noise_width": chip.noise_width}
    sources = {node.name for node in network.nodes}
    coins = {
        f"coin_{j}": transmitted
        for p in arithmetic.network.projections
        if p.post == chip.name and p.pre not in sources
        for j, transmitted in enumerate(_coins(arithmetic, p.name))
    }
    return {"noise_step": chip.noise_step, **coins}


def _coins(arithmetic: ChipArithmetic, name: str) -> Array:
    """Return the transmitted weights of a projection's coins, ``(coins, neurons)``."""
    weights = initial_weights(arithmetic.network, name, 0)
    return arithmetic.transmitted(name, weights)[..., 0].T


def _noise(values: dict[str, Array]) -> str:
    """Return the kind of noise to which the values belong; ``''`` for none."""
    if "noise_step" in values:
        return "chip+coins" if "coin_0" in values else "chip"
    return "exact" if values["noise_width"].any() else ""


def synapses(
    network: Network, projection: Projection
) -> tuple[Array, Array, npt.NDArray[np.intp] | None]:
    """Return the pre- and postsynaptic neuron of every synapse, and its place in the flat weights.

    They are in the order of presynaptic neurons. The place is None if every weight has its synapse.
    """
    listed = network.synapses(projection.name)
    if listed is not None:
        return listed.pre, listed.post, None
    shape = network.weight_shape(projection.name)
    every = projection.mask is None
    where = np.ones(shape, dtype=bool) if every else projection.mask
    block, pre, post = np.nonzero(where.reshape(-1, *shape[-2:]))
    flat = None if every else np.flatnonzero(where)
    return block * shape[-2] + pre, block * shape[-1] + post, flat


class Arrays(NamedTuple):
    """Hold the lists of a sparse projection as the compiled code reads them.

    They are in the order of delays, if each synapse has its own, and of presynaptic neurons.
    start: for each delay and neuron, the number of its first synapse; ``(delays, n_pre + 1)``.
    target: postsynaptic neurons. held: for each synapse its place among the flat weights, None if
    they are in order. delays: the steps, ``(delays,)``; None if there is one.
    """

    start: Array
    target: Array
    held: Array | None
    delays: Array | None


def library_arrays(network: Network, projection: Projection) -> Arrays:
    """Return the lists of a sparse projection."""
    listed = network.synapses(projection.name)
    delays = network.synapse_delays(projection.name)
    if listed is None:
        pre, post, held = synapses(network, projection)
        # Presynaptic neurons come in order, whatever the number of blocks.
        start = np.searchsorted(pre, np.arange(network.node(projection.pre).size + 1))
        return Arrays(start, post, held, None)
    if delays is None:
        return Arrays(listed.start, listed.post, None, None)
    held, steps = np.argsort(delays, kind="stable").astype(np.int32), np.unique(delays)
    starts, done = [], 0
    for some in steps:
        part, numbers = listed.part(delays == some)
        starts.append(part.start + done)
        done += len(numbers)
    return Arrays(np.stack(starts), listed.post[held], held, steps)


def library_plan(
    network: Network, arithmetic: Arithmetic, max_delay: dict[str, int], n_replicas: int = 1
) -> dict[str, Any]:
    """Return all that the code of a compiled network depends on, as JSON: texts, sizes, delays.

    Names and values of the description are not in it. A projection is ``sparse`` (a list of
    synapses) if its mask leaves few of the weights; ``levels``: its weights may be held as
    `Simulator.levels` says.

    network: all replicas as one network.
    max_delay: the longest delay of each node, in steps.
    """
    return {
        "dt": network.dt,
        "replicas": n_replicas,
        "nodes": [
            {
                **_facts(node_text(network, node.name, arithmetic, n_replicas)),
                "is_source": not isinstance(node, Population),
                "depth": max_delay[node.name],
            }
            for node in network.spiking.nodes
        ],
        "projections": [
            _projection_plan(network, projection, arithmetic)
            for projection in network.spiking.projections
            if projection_text(network, projection).synapses
        ],
    }


def _projection_plan(
    network: Network, projection: Projection, arithmetic: Arithmetic
) -> dict[str, Any]:
    """Return the plan of one projection."""
    text = projection_text(network, projection)
    shape = network.weight_shape(projection.name)
    weights = int(np.prod(shape))
    sparse = text.listed or text.synapses < _SPARSE * weights
    learns = projection.plasticity is not None and arithmetic.is_fine
    every = projection.mask is None and not sparse
    return {
        **_facts(text),
        "sparse": sparse,
        "levels": learns and every and not (projection.signed or text.release),
        "weights": text.synapses if sparse else weights,
        "n_pre": 0 if sparse else shape[-2],
        "n_post": 0 if sparse else shape[-1],
    }


def _facts(text: NodeText | ProjectionText) -> dict[str, Any]:
    """Return the fields of a text except its title, which no code depends on."""
    return {key: value for key, value in vars(text).items() if key != "title"}
