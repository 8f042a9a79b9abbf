"""Explain what another simulator does by descriptions that differ in one thing.

Of another simulator only spikes are known. So whole runs are compared: if the reference, given a
description with one thing changed, has every spike that the other simulator had, that is the cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neurorl.backends.base import Raster
from neurorl.backends.spec import BackendSpec
from neurorl.network.description import Network, Population, Projection
from neurorl.validation.cause import Inquiry, Trial
from neurorl.validation.recording import SubjectRecording, record
from neurorl.validation.replay import replay
from neurorl.validation.stimulus import InputWindow, place
from neurorl.validation.subject import Subject

__all__ = ["CHANGES", "CellPlace", "Change", "Found", "find_change", "first_place", "margin"]

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


class CellPlace(NamedTuple):
    """Locate the first cell that differs."""

    step: int
    population: str
    neuron: int


def _projections(network: Network, change: Callable[[Projection], Projection]) -> Network:
    return dataclasses.replace(network, projections=tuple(map(change, network.projections)))


def _neurons(network: Network, change: Callable[[Population], Population]) -> Network:
    nodes = tuple(change(n) if isinstance(n, Population) else n for n in network.nodes)
    return dataclasses.replace(network, nodes=nodes)


def _later(network: Network, of_sources: bool, more: int) -> Network:
    """Return a network whose delays, from sources or neurons, are *more* steps longer."""
    sources = {source.name for source in network.sources}

    def change(p: Projection) -> Projection:
        if (p.pre in sources) != of_sources or p.pre in network.currents:
            return p
        steps = network.synapse_delays(p.name)
        there = np.asarray(network.delay_steps(p.name) if steps is None else steps)
        delays = (there + more) * network.dt
        return dataclasses.replace(p, delay=float(delays) if steps is None else delays)

    return _projections(network, change)


def _dead(network: Network, more: int) -> Network:
    """Return a network with longer refractory periods, where there are any."""

    def change(p: Population) -> Population:
        if not hasattr(p.neuron, "refractory"):
            return p
        dead = np.asarray(p.neuron.refractory, dtype=float)
        longer = np.where(dead > 0, np.maximum(dead + more * network.dt, 0.0), 0.0)
        return dataclasses.replace(p, neuron=dataclasses.replace(p.neuron, refractory=longer))  # type: ignore[type-var]

    return _neurons(network, change)


def _scaled(network: Network, field: str, factor: float) -> Network:
    """Return a network with a parameter of all neurons times *factor*."""

    def change(p: Population) -> Population:
        if not hasattr(p.neuron, field):
            return p
        value = np.asarray(getattr(p.neuron, field), dtype=float) * factor
        return dataclasses.replace(p, neuron=dataclasses.replace(p.neuron, **{field: value}))  # type: ignore[type-var]

    return _neurons(network, change)


CHANGES: Sequence[Change] = (
    Change(
        "delay",
        "every delay between neurons is a step longer",
        lambda network: _later(network, of_sources=False, more=1),
    ),
    Change(
        "delay",
        "spikes of sources come a step later",
        lambda network: _later(network, of_sources=True, more=1),
    ),
    Change(
        "refractory",
        "refractory periods are a step longer",
        lambda network: _dead(network, 1),
    ),
    Change(
        "refractory",
        "refractory periods are a step shorter",
        lambda network: _dead(network, -1),
    ),
    Change("bias", "biases don't act", lambda network: _scaled(network, "bias", 0.0)),
)
"""List what is tried, that which assumes least first."""


def find_change(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    seed: int,
    ours: Mapping[str, Raster],
    theirs: Mapping[str, Raster],
    own: Sequence[Change] = (),
) -> Found | None:
    """Return the change that explains all differences, or most and nine in ten; None without one.

    ours: what the description does. own: changes that the simulator is known for.
    """
    before = _differing(ours, theirs)
    best: Found | None = None
    for change in (*own, *CHANGES):
        changed = dataclasses.replace(subject, network=change.make(subject.network))
        rasters = record(changed, BackendSpec("reference", "float"), stimulus, seed).rasters
        left = _differing(rasters, theirs)
        if best is None or left < best.left:
            best = Found(change, left, before)
        if not left:
            break
    return best if best is not None and best.left <= before / 10 else None


def _differing(one: Mapping[str, Raster], other: Mapping[str, Raster]) -> int:
    return sum(int((one[name] != other[name]).sum()) for name in one)


def first_place(
    network: Network, ours: Mapping[str, Raster], theirs: Mapping[str, Raster]
) -> CellPlace | None:
    """Return where spikes differ first; of several in a step, that nearest to the sources."""
    found = []
    for population in network.populations:
        differs = ours[population.name] != theirs[population.name]
        if differs.any():
            step = int(differs.any(axis=1).argmax())
            key = step, network.depth(population.name)
            found.append((key, CellPlace(step, population.name, int(differs[step].argmax()))))
    return min(found, default=((0, 0), None), key=lambda pair: pair[0])[1]


def margin(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    recording: SubjectRecording,
    seed: int,
    where: CellPlace,
) -> float:
    """Return by how much the description's membrane is over its threshold there, in thresholds."""
    window = int(place(list(stimulus), where.step)["window"])
    trace = replay(subject, recording, stimulus, window, seed)
    population = subject.network.node(where.population)
    assert isinstance(population, Population)
    case = Inquiry(subject, stimulus, {recording.spec.label: recording}, seed)
    plain = Trial(case, trace, population).evidence.plain
    level, threshold = (x[where.step, where.neuron] for x in (plain.level, plain.threshold))
    return float((level - threshold) / max(abs(float(threshold)), NEAR))
