"""Put membranes exactly at their thresholds, which no stimulus does: does ``>`` mean ``>``?

The state of each neuron is one from which the next step leads to the threshold, to the bit; it is
found in the description's own step, and restored on the backend. Beside it a second state leads to
the next value that is no tie: who is wrong there too is wrong for another reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from neurorl.backends.spec import BackendSpec
from neurorl.errors import NeurorlError
from neurorl.numerics.arrays import Array, BoolArray
from neurorl.testing import rasters
from neurorl.validation.compare import Pair, Row
from neurorl.validation.evidence import Evidence
from neurorl.validation.explain import Explanation
from neurorl.validation.history import Scenario, enact
from neurorl.validation.hypotheses.steps import AT_THRESHOLD
from neurorl.validation.observed import unpredicted
from neurorl.validation.subject import InputWindow
from neurorl.validation.variants import PLAIN

_HALVINGS, _DOUBLINGS = 1100, 30
"""Bound the search between any two floats, and from a tie to what is none."""
_State = dict[str, Array]
_EXCLUDES = "a membrane that is exactly at the threshold doesn't spike, as it must"


def ties(scenario: Scenario, pair: Pair, spec: BackendSpec) -> tuple[list[Row], list[Explanation]]:
    """Return a row and an explanation of each population that takes ties otherwise than described.

    Nothing of a backend that can't restore a state, or of neurons that no state brings to a tie.
    """
    network, rows, explanations = scenario.network, [], []
    silence = {name: np.zeros_like(x) for name, x in rasters(network, 1, 0).items()}
    first = [InputWindow(silence, 1, False)]
    history = enact(scenario.subject, spec, scenario.seed, first)
    found = {}
    for p in network.populations:
        if not (unpredicted(network, p.name) or history.arithmetic.counts_spikes):
            found[p.name] = _at_threshold(Evidence(network, p, history))
    states = [
        {f"{name}.{v}": x for name, tie in found.items() for v, x in tie.states[k].items()}
        for k in (0, 1)
    ]
    try:
        at, near = (enact(scenario.subject, spec, scenario.seed, first, state=x) for x in states)
    except NeurorlError:  # it can't be asked
        return [], []
    for name, tie in found.items():
        described = tie.spikes
        spikes, beside = (made.rasters[name][0] for made in (at, near))
        wrong = tie.met & (spikes != described) & (beside == described)
        if wrong.any():
            neuron = int(wrong.argmax())
            where = {**scenario.place(0), "population": name, "neuron": neuron}
            detail = _EXCLUDES if described[neuron] else AT_THRESHOLD.detail
            told = f"{spec.label}: {detail}"
            share = float(wrong.sum() / tie.met.sum())
            row = pair.row("spikes at the threshold", name, False, share, "rate", where)
            rows.append({**row, "cause": AT_THRESHOLD.cause, "detail": told})
            labels = {"backend_a": pair.a, "backend_b": pair.b, "lane": spec.label}
            seen = {**where, **labels, "variable": "spikes", "checked": 1, "numbers": []}
            explanations.append(Explanation(AT_THRESHOLD.cause, told, **seen))
    return rows, explanations


class _Tie(NamedTuple):
    """Hold states that bring the neurons *met* exactly to the threshold, and who *spikes* then.

    states: that, and one near it that is no tie, in which the same neurons spike.
    """

    states: tuple[_State, _State]
    met: BoolArray
    spikes: BoolArray


def _at_threshold(evidence: Evidence) -> _Tie:
    """Return the tie of a population's neurons, as far as a state brings them there."""
    size = evidence.population.size
    drive, row = evidence._drive(PLAIN), np.array([0])
    start = {v: 0 * evidence.before[v][:1] + evidence.rest(v) for v in evidence.variables}
    chosen, met = dict(start), np.zeros((1, size), dtype=bool)
    met_by = {}

    def above(state: _State) -> Array:
        now = evidence._advance(drive, state, row)
        return np.asarray(now["met_level"] - now["met_threshold"])

    for name in evidence.variables[:-1][::-1]:
        whole, met_before = np.issubdtype(start[name].dtype, np.integer), met
        low, high = (start[name] + way * (2**22 if whole else 1e3) for way in (-1, 1))
        for _ in range(_HALVINGS):
            middle = (low + high) // 2 if whole else (low + high) / 2
            apart = above({**chosen, name: np.where(met, chosen[name], middle)})
            chosen[name] = np.where((apart == 0) & ~met, middle, chosen[name])
            met = met | (apart == 0)
            done = met | (middle == low) | (middle == high)
            if done.all():
                break
            low, high = np.where(apart < 0, middle, low), np.where(apart < 0, high, middle)
        met_by[name] = met & ~met_before
    spikes = np.asarray(evidence._advance(drive, chosen, row)["spikes"])
    states = _first(chosen), _first(_beside(chosen, met_by, spikes, above))
    return _Tie(states, met[0], spikes[0])


def _beside(
    tie: _State, met_by: dict[str, BoolArray], spikes: BoolArray, above: Callable[[_State], Array]
) -> _State:
    """Return a state near a tie that isn't one: above the threshold where a tie spikes, else below.

    met_by: which neurons each variable brought to the tie.
    """
    way, distance, beside = np.where(spikes, 1, -1), 1, tie
    for _ in range(_DOUBLINGS):
        beside = {}
        for name, x in tie.items():  # in units of a chip's integers, or of 1e-9 of the numbers
            is_whole = np.issubdtype(x.dtype, np.integer)
            unit = 1 if is_whole else 1e-9 * np.maximum(np.abs(x), 1.0)
            away = np.where(met_by.get(name, False), way * (distance * unit), 0)
            beside[name] = x + away.astype(x.dtype)
        if (above(beside) * way > 0)[np.logical_or.reduce([*met_by.values()])].all():
            break
        distance *= 2
    return beside


def _first(state: _State) -> _State:
    return {v: x[0] for v, x in state.items() if v != "refractory"}
