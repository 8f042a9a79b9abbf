"""Hold the reference against other people's simulators: ``neurorl validate --target``.

Of another simulator only spikes are known. So whole runs are compared: if the reference, given a
description with one thing changed, has every spike that the other simulator had, that is the cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurorl.agents.local import SpikingActorCritic
from neurorl.backends.base import Raster
from neurorl.backends.registry import load
from neurorl.backends.spec import BackendSpec
from neurorl.errors import UnsupportedError, check_name
from neurorl.network.description import Network, Population
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import read_seed
from neurorl.storage.plain import Named, PlainData, check_count
from neurorl.validation.cause import of_replay
from neurorl.validation.compare import Pair, Row, caused, warn_of_silence
from neurorl.validation.explain import Explanation
from neurorl.validation.history import History, Scenario, decide
from neurorl.validation.pynn_run import PYNN, PynnTarget
from neurorl.validation.result import Agreement
from neurorl.validation.subject import TASK, InputWindow, make_stimulus, make_subject
from neurorl.validation.tolerance import Limits, measured

NEAR = 1e-9
"""Bound what rounding can move, as a part of a threshold."""

_REFERENCE = BackendSpec("reference", "float")


class Change(NamedTuple):
    """Hold a change of a description. cause: a word for it."""

    cause: str
    detail: str
    make: Callable[[Network], Network]


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
    scenario: Scenario, ours: Mapping[str, Raster], theirs: Mapping[str, Raster]
) -> tuple[Change, str] | None:
    """Return the change that explains all differences, or most and nine in ten; None without one.

    ours: what the description does. Also say how many cells, of all populations, still differ.
    """
    before, found = _differing(ours, theirs), list[tuple[int, Change]]()
    for change in CHANGES:
        subject = dataclasses.replace(scenario.subject, network=change.make(scenario.network))
        rasters = dataclasses.replace(scenario, subject=subject).record(_REFERENCE).rasters
        found.append((_differing(rasters, theirs), change))
        if not found[-1][0]:
            break
    left, best = min(found, key=lambda x: x[0])
    return (best, f"{left} cells of {before}") if left <= before / 10 else None


def _differing(one: Mapping[str, Raster], other: Mapping[str, Raster]) -> int:
    return sum(int((one[name] != other[name]).sum()) for name in one)


def first_place(
    scenario: Scenario, ours: Mapping[str, Raster], theirs: Mapping[str, Raster]
) -> PlainData | None:
    """Return where *ours* first differ; of several in a step, that nearest to the sources."""
    found = (scenario.first(raster != theirs[name], name) for name, raster in ours.items())
    depth = scenario.network.depth
    places = filter(None, found)
    return min(places, key=lambda x: (x["step"], depth(x["population"])), default=None)


def margin(scenario: Scenario, recording: History, where: Named) -> float:
    """Return by how much the description's membrane is over its threshold there, in thresholds."""
    trace = scenario.replay(recording, where["window"])
    population = scenario.network.node(where["population"])
    assert isinstance(population, Population)
    plain = of_replay(scenario.network, trace, population).plain
    at = where["step"], where["neuron"]
    level, threshold = plain["met_level"][at], plain["met_threshold"][at]
    return float((level - threshold) / max(abs(float(threshold)), NEAR))


TARGETS: Mapping[str, PynnTarget] = PYNN
"""Hold the simulators that aren't backends, by the name that ``--target`` takes."""


def validate_on(
    what: str | Path | Network | SpikingActorCritic,
    target: str,
    *,
    steps: int = 1000,
    seed: int = 0,
    env: str = TASK,
    dt: float | None = None,
    trust_env: bool = False,
    noise: bool = True,
    limits: Limits | None = None,
) -> Agreement:
    """Run a network with the same inputs on the reference and on another simulator.

    what, steps, seed, env, dt, trust_env: as in `neurorl.validation.validate`. target: of
    `TARGETS`, such as ``'pynn.nest'``. noise: False leaves escape noise out, on both sides.

    Raises UnsupportedError naming what the target can't hold, BackendUnavailableError if a package
    is missing.

    >>> from neurorl.validation.elsewhere import TARGETS
    >>> sorted(TARGETS)
    ['pynn.brainscales', 'pynn.brian2', 'pynn.nest', 'pynn.spiNNaker']
    """
    check_name("target", target, TARGETS)
    seed = read_seed(seed, "validate.seed")
    check_count("validate.steps", steps)
    there = TARGETS[target]
    subject = make_subject(what, env, None, dt, trust_env)
    left_out: tuple[str, ...] = ()
    if not noise:
        network = subject.network
        noisy = [p.name for p in network.populations if p.is_noisy(network.dt)]
        left_out = tuple(f"escape noise of {name!r}" for name in noisy)
        silent = with_parameter(network, "noise", lambda noise: 0.0)
        subject = dataclasses.replace(subject, network=silent)
    found = there.problems(subject.network)
    if found:
        quiet = "leave escape noise out on both sides: --without-noise, noise=False"
        remedy = quiet if any("noise" in line for line in found) else None
        raise UnsupportedError(target, "can't hold this", got="; ".join(found), remedy=remedy)
    there.check()
    stimulus = make_stimulus(subject, steps, seed, "float")
    scenario = Scenario(subject, stimulus, seed)
    pair = Pair(_REFERENCE.label, target, False, limits or Limits())
    ours, theirs = scenario.record(_REFERENCE), _play(there, scenario)
    warn_of_silence(ours.rasters, theirs)
    rows = _rows(scenario, ours, theirs, pair)
    explanations = _explain(scenario, ours, theirs, target)
    for k, row in enumerate(rows):  # the cause is one for all populations
        why = explanations[0] if explanations else None
        if why is None:
            rows[k] = caused(row, None, None)
        elif row["population"] == why.population or why.cause not in ("float error", "unknown"):
            rows[k] = caused(row, why.cause, why.detail)
        else:
            rows[k] = caused(row, "follows", why.onward)
    n_steps, backends = sum(window.n_steps for window in stimulus), [pair.a, target]
    return Agreement(subject, backends, rows, seed, n_steps, explanations, left_out)


def _play(there: PynnTarget, scenario: Scenario) -> dict[str, Raster]:
    """Return their spikes, ``(steps, size)``: what starts from silence is a replica of its own."""
    subject, seed = scenario.subject, scenario.seed
    parts: list[list[InputWindow]] = []
    for window in scenario.stimulus:
        if window.fresh or not parts:
            parts.append([])
        parts[-1].append(window)
    lengths = [sum(w.n_steps for w in part) for part in parts]
    longest = max(lengths)
    begins = (subject.t + np.cumsum([0, *lengths[:-1]])).tolist()
    inputs = {}
    for source in subject.network.sources:
        raster = np.zeros((longest, len(parts), source.size), dtype=bool)
        for k, part in enumerate(parts):
            silent = np.zeros((longest, source.size), dtype=bool)
            given = [np.asarray(w.inputs.get(source.name, silent[: w.n_steps])) for w in part]
            raster[: lengths[k], k] = np.concatenate(given)
        inputs[source.name] = raster.reshape(longest, -1)
    with load(_REFERENCE, subject.network, seed=seed, weights=subject.weights or None) as backend:
        weights = {p.name: backend.weights(p.name) for p in subject.network.projections}
    played = there.play(subject.network, inputs, longest, weights, seed, begins)
    rasters = {}
    for name, raster in played.items():
        blocks = raster.reshape(longest, len(parts), -1)
        rasters[name] = np.concatenate([blocks[:n, k] for k, n in enumerate(lengths)])
    return rasters


def _rows(scenario: Scenario, ours: History, theirs: Mapping[str, Raster], pair: Pair) -> list[Row]:
    """Return the rows of all populations, and of an agent's decisions."""
    rows = []
    for name, own in ours.rasters.items():
        first = first_place(scenario, {name: own}, theirs)
        for found in measured(own, theirs[name]):
            judged = found.difference, found.limit
            rows.append(pair.row(found.quantity, name, first is None, *judged, first, **found.more))
    decided = decide(scenario.subject, theirs.get("output"), scenario.seed)
    if len(ours.decisions):
        share = float((ours.decisions != decided).mean())
        row = pair.row("decisions", "output", not share, share, "decisions", None)
        rows.append({**row, "decisions": len(decided), "agreement": 1 - share})
    return rows


def _explain(
    scenario: Scenario, ours: History, theirs: Mapping[str, Raster], target: str
) -> list[Explanation]:
    """Return why the first cell differs, and how many of the others that explains."""
    where = first_place(scenario, ours.rasters, theirs)
    if where is None:
        return []
    over = margin(scenario, ours, where)
    found = find_change(scenario, ours.rasters, theirs)
    if found is not None:
        (cause, told, _), left = found
        detail = f"{target}: {told}; the reference, so described, differs in {left} that differ now"
    elif abs(over) <= NEAR:
        cause = "float error"
        detail = f"the membrane is within {abs(over):.1g} thresholds of its threshold, so rounding"
        detail += " decides, or whether a membrane at its threshold spikes"
    else:
        cause = "unknown"
        detail = f"nothing that was tried fits; the membrane is {over:+.3g} thresholds over its own"
    checked = len(ours.rasters[where["population"]])
    numbers = [{"step": where["step"], "margin": over}]
    labels = {"backend_a": _REFERENCE.label, "backend_b": target, "lane": target}
    seen = {**where, **labels, "variable": "spikes", "checked": checked, "numbers": numbers}
    return [Explanation(cause, detail, **seen)]
