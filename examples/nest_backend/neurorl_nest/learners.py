"""Let NEST's synapses, its own and those of NESTML, learn what backends learned: to be compared.

A learner gets a network whose sources drive its neurons, a rule of statements, lessons, and what
another learner did (`neurorl.validation.courses.Course`), and returns its own course.
``neurorl validate RULE --learn --backends reference,nestml`` finds them by their entry points.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.network.description import Network, Population, Projection
from neurorl.rules import SynapseRule
from neurorl.rules.synapse_rule import WEIGHT, owner_of
from neurorl.storage.plain import PlainData
from neurorl.testing.rules import Lesson
from neurorl.validation.courses import Course
from neurorl_nest import nestml
from neurorl_nest.nestml_build import NEURON, SYNAPSE, module, run_python

_MS = 1e3


def of_nestml(
    network: Network, rule: SynapseRule, lessons: Sequence[Lesson], first: Course
) -> Course:
    """Let a neuron and a synapse that pynestml made learn in NEST, in a process of their own.

    Every lesson must end with a step in which nothing arrives: a reward is told in it, by a volume
    transmitter that is heard in every step, so that synapses are up to date when they are read.
    Variables of postsynaptic neurons aren't read, as pynestml keeps these at spikes alone.
    Raises UnsupportedError for a network or a rule that these models don't hold.
    """
    learns = _learning(network, rule)
    cells = network.node(learns.post)
    assert isinstance(cells, Population)
    assert learns.plasticity is not None
    neuron, values = nestml.neuron_model(dataclasses.replace(cells, name="cells"), network.dt)
    # Without a reward nothing would bring synapses up to date, so they hear one that does nothing.
    heard = rule if rule.events["on_reward"] else dataclasses.replace(rule, on_reward="w += 0*M")
    bounds = learns.plasticity.low, learns.plasticity.high
    library = module({NEURON: neuron, SYNAPSE: nestml.synapse_model(heard, "rule", *bounds)})
    read = [x for x in (*rule.variables, WEIGHT) if owner_of(x) != "post"]
    names = {x: nestml.own_name(x) for x in (*read, *heard.modulators)}
    modulators = rule.modulators if rule.events["on_reward"] else ()
    job = {
        "library": str(library),
        "resolution": network.dt * _MS,
        "windows": [lesson.n_steps for lesson in lessons],
        "rewards": [{names[m]: lesson.rewards[m] for m in modulators} for lesson in lessons],
        "read": [names[x] for x in read],
        "values": values,
        "learns": learns.name,
        "ends": {p.name: (p.pre, network.delay_steps(p.name)) for p in network.projections},
    }
    arrays: PlainData = {f"raster.{s.name}": first.spikes[s.name] for s in network.sources}
    arrays |= {f"weights.{p.name}": _weights(network, p, first) for p in network.projections}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "job.npz", job=json.dumps(job), **arrays)
        run_python("neurorl_nest.nestml_worker", folder)
        with np.load(Path(folder) / "made.npz") as made:
            rows = {x: made[names[x]] for x in read}
            spikes = {**first.spikes, learns.post: made["spikes"]}
    # All synapses of a presynaptic neuron have the same of its variables.
    of_pre = {x: v[:, :, 0] for x, v in rows.items() if owner_of(x) == "pre"}
    flat = {x: v.reshape(len(v), -1) for x, v in rows.items()}
    values_of = {(learns.name, x): v for x, v in {**flat, **of_pre}.items()}
    return Course("NESTML's synapse in NEST", spikes, first.first, values_of)


def of_dopamine(
    network: Network, rule: SynapseRule, lessons: Sequence[Lesson], first: Course
) -> Course:
    """Let NEST's own ``stdp_dopamine_synapse`` learn from the spikes of a course.

    rule: ``dopamine`` of `neurorl.testing.rules`, of which it takes its parameters; others are
    refused by UnsupportedError.
    """
    from neurorl_nest.dopamine import learned

    own = rule.parameters
    if rule.name != "dopamine" or not {"fades", "c_fades", "tau_n", "plus", "minus", "b"} <= {*own}:
        what, remedy = "is another rule than that of NEST's synapse", "rule 'dopamine'"
        raise UnsupportedError(f"rule {rule.name!r}", what, remedy=remedy)
    (learns,) = (p for p in network.projections if p.plasticity is not None)
    assert learns.plasticity is not None
    tau_plus, tau_c = (-1 / np.log1p(-1e-3 * own[x]) for x in ("fades", "c_fades"))
    told = np.concatenate([lesson.signals["dopamine"][:, :1] > 0 for lesson in lessons])
    values = learned(
        {"pre": first.spikes[learns.pre], "post": first.spikes[learns.post], "dopamine": told},
        first.first[learns.name].reshape(network.weight_shape(learns.name)),
        network.delay_steps(learns.name),
        lessons[0].n_steps,
        {
            "tau_plus": tau_plus,
            "tau_c": tau_c,
            "tau_n": own["tau_n"],
            "b": own["b"],
            "A_plus": own["plus"],
            "A_minus": own["minus"],
            "Wmin": learns.plasticity.low,
            "Wmax": learns.plasticity.high,
        },
    )
    rows = {(learns.name, x): v.reshape(len(v), -1) for x, v in values.items()}
    return Course("NEST's stdp_dopamine_synapse", first.spikes, first.first, rows)


def _learning(network: Network, rule: SynapseRule) -> Projection:
    """Return the projection that learns. Raises UnsupportedError."""
    learning = [p for p in network.projections if p.plasticity is not None]
    sources = {s.name for s in network.sources}
    for p in network.projections:
        if p.pre not in sources or p.is_sparse or p.blocks > 1 or p.mask is not None:
            what, remedy = "isn't from a source to all neurons", "neurorl.testing.rules"
            raise UnsupportedError(f"NESTML, projection {p.name!r}", what, remedy=remedy)
    if len(learning) != 1 or len(network.populations) != 1:
        what, limit = "has one projection that learns, into the one population", len(learning)
        raise UnsupportedError("NESTML", what, got=limit)
    for line in rule.derivatives:
        others = {x for x in line.value.names if x == WEIGHT or x in rule.variables}
        if line.variable == WEIGHT or others - {line.variable}:
            what = f"d{line.variable}/dt reads w or other variables, which NESTML has at spikes"
            remedy = "a rule whose variables decay by themselves"
            raise UnsupportedError(f"rule {rule.name!r}", what, remedy=remedy)
    return learning[0]


def _weights(network: Network, p: Projection, first: Course) -> np.ndarray:
    shape = network.weight_shape(p.name)
    if p.name in first.first:
        return first.first[p.name].reshape(shape)
    return np.broadcast_to(np.asarray(p.weights, dtype=float), shape)
