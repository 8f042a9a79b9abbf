"""List what simulators get wrong: families of variants that an explanation tries.

Each variant is the description with one thing changed. A family proposes those that make sense for
a population in a history, likelier ones first; numbers are fitted to it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses import (
    arrivals,
    calls,
    levels,
    noise,
    numbers,
    own,
    short_term,
    steps,
    values,
    weights,
)
from neurorl.validation.variants import Variant

__all__ = ["FAMILIES", "OWN_FAMILIES", "Family", "propose"]


@dataclass(frozen=True)
class Family:
    """Propose variants of one kind; about: what may differ, in the words of docs/validation.md."""

    about: str
    propose: Callable[[Evidence], Iterator[Variant]]


_OF_ALL = (
    weights.reported,
    arrivals.delays,
    calls.writes,
    arrivals.lost,
    arrivals.surviving,
    calls.states,
    noise.draws,
    weights.rounded,
    short_term.releases,
)

FAMILIES = (
    Family("weights that the backend itself reports", weights.reported),
    Family("delays", arrivals.delays),
    Family("writes late, lost, or without the bias of signed projections", calls.writes),
    Family("spikes in flight lost by a call or a write", arrivals.lost),
    Family("spikes in flight that survive a reset", arrivals.surviving),
    Family("short-term plasticity", short_term.releases),
    Family("states that a reset keeps, or a call or a write clears", calls.states),
    Family("order of a step", steps.orders),
    Family("refractory period", steps.refractory),
    Family("refractory period of each neuron", values.periods),
    Family("reset", steps.resets),
    Family("value of a reset", values.reset_values),
    Family("rounding of decays, and overflow", steps.roundings),
    Family("time constants", numbers.decays),
    Family("biases", numbers.biases),
    Family("draws of noise", noise.draws),
    Family("comparison with the threshold", steps.thresholds),
    Family("threshold", levels.fitted_thresholds),
    Family("width of the noise", levels.widths),
    Family("floor and ceiling", values.bounds),
    Family("rounding of weights", weights.rounded),
    Family("weights by a factor", weights.factors),
    Family("any weights", weights.changed),
    Family("share of the current", numbers.gains),
)
"""List the families of hypotheses in the order in which they are tried."""

OWN_FAMILIES = (
    *(f for f in FAMILIES if f.propose in _OF_ALL),
    Family("method, and length of a step", own.methods),
    Family("initial values", own.initial_values),
    Family("dead steps", own.refractory),
    Family("reset", own.resets),
    Family("precision of a variable", own.precisions),
    Family("weights, and where they arrive", own.weights),
    Family("parameters", own.parameters),
)
"""List the families for neurons by equations in the order in which they are tried."""


def propose(evidence: Evidence) -> Iterator[Variant]:
    """Yield all variants of all families."""
    for family in FAMILIES:
        yield from family.propose(evidence)
