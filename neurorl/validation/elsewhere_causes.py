"""Explain what another simulator does by descriptions that differ in one thing.

Of another simulator only spikes are known. So whole runs are compared: if the reference, given a
description with one thing changed, has every spike that the other simulator had, that is the cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from neurorl.backends.base import Raster
from neurorl.backends.spec import BackendSpec
from neurorl.network.description import Network, Population
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.cause import Trial
from neurorl.validation.recording import Scenario, SubjectRecording

NEAR = 1e-9
"""Bound what rounding can move, as a part of a threshold."""


class Change(NamedTuple):
    """Hold a change of a description. cause: a word of `neurorl.validation.cause.CAUSES`."""

    cause: str
    detail: str
    make: Callable[[Network], Network]


class Found(NamedTuple):
    """Hold the change that explains most. left: cells that still differ, of all populations."""

    change: Change
    left: int
    cells: int


def with_parameter(network: Network, field: str, change: Callable[[FloatArray], Any]) -> Network:
    """Return a network with a parameter of all neurons that have it changed."""
    nodes = list(network.nodes)
    for k, p in enumerate(nodes):
        if isinstance(p, Population) and hasattr(p.neuron, field):
            value = change(np.asarray(getattr(p.neuron, field), dtype=float))
            neuron = dataclasses.replace(p.neuron, **{field: value})  # type: ignore[type-var]
            nodes[k] = dataclasses.replace(p, neuron=neuron)
    return dataclasses.replace(network, nodes=tuple(nodes))


def _later(network: Network, of_sources: bool) -> Network:
    """Return a network whose delays, from sources or neurons, are a step longer."""
    sources = {source.name for source in network.sources}
    projections = list(network.projections)
    for k, p in enumerate(projections):
        if (p.pre in sources) == of_sources and p.pre not in network.currents:
            steps = network.synapse_delays(p.name)
            there = np.asarray(network.delay_steps(p.name) if steps is None else steps)
            delays = (there + 1) * network.dt
            delay = float(delays) if steps is None else delays
            projections[k] = dataclasses.replace(p, delay=delay)
    return dataclasses.replace(network, projections=tuple(projections))


def _dead(network: Network, more: int) -> Network:
    """Return a network with longer refractory periods, where there are any."""

    def longer(dead: FloatArray) -> FloatArray:
        return np.where(dead > 0, np.maximum(dead + more * network.dt, 0.0), 0.0)

    return with_parameter(network, "refractory", longer)


CHANGES: Sequence[Change] = (
    Change("delay", "every delay between neurons is a step longer", lambda n: _later(n, False)),
    Change("delay", "spikes of sources come a step later", lambda n: _later(n, True)),
    Change("refractory", "refractory periods are a step longer", lambda n: _dead(n, 1)),
    Change("refractory", "refractory periods are a step shorter", lambda n: _dead(n, -1)),
    Change("bias", "biases don't act", lambda n: with_parameter(n, "bias", lambda x: 0 * x)),
)
"""List what is tried, that which assumes least first."""


def find_change(
    scenario: Scenario,
    ours: Mapping[str, Raster],
    theirs: Mapping[str, Raster],
) -> Found | None:
    """Return the change that explains all differences, or most and nine in ten; None without one.

    ours: what the description does.
    """
    before = _differing(ours, theirs)
    best: Found | None = None
    for change in CHANGES:
        subject = dataclasses.replace(scenario.subject, network=change.make(scenario.network))
        changed = dataclasses.replace(scenario, subject=subject)
        rasters = changed.record(BackendSpec("reference", "float")).rasters
        left = _differing(rasters, theirs)
        if best is None or left < best.left:
            best = Found(change, left, before)
        if not left:
            break
    return best if best is not None and best.left <= before / 10 else None


def _differing(one: Mapping[str, Raster], other: Mapping[str, Raster]) -> int:
    return sum(int((one[name] != other[name]).sum()) for name in one)


def first_place(
    scenario: Scenario, ours: Mapping[str, Raster], theirs: Mapping[str, Raster]
) -> dict[str, Any] | None:
    """Return where *ours* first differ; of several in a step, that nearest to the sources."""
    found = []
    for name, raster in ours.items():
        differs = raster != theirs[name]
        if differs.any():
            step = int(differs.any(axis=1).argmax())
            neuron = int(differs[step].argmax())
            found.append((step, scenario.network.depth(name), name, neuron))
    if not found:
        return None
    step, _, name, neuron = min(found, key=lambda x: x[:2])
    return {**scenario.place(step), "population": name, "neuron": neuron}


def margin(scenario: Scenario, recording: SubjectRecording, where: Mapping[str, Any]) -> float:
    """Return by how much the description's membrane is over its threshold there, in thresholds."""
    trace = scenario.replay(recording, where["window"])
    population = scenario.network.node(where["population"])
    assert isinstance(population, Population)
    plain = Trial(scenario.network, trace, population).evidence.plain
    at = where["step"], where["neuron"]
    level, threshold = plain.level[at], plain.threshold[at]
    return float((level - threshold) / max(abs(float(threshold)), NEAR))
