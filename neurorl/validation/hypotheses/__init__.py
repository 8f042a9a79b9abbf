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
    noise,
    numbers,
    own,
    steps,
    weights,
    wiring,
)
from neurorl.validation.variants import Variant


@dataclass(frozen=True)
class Family:
    """Propose variants of one kind.

    about: what may differ, in the words of docs/validation.md. made: proposes them. of_currents:
    whether of neurons with a current and a membrane alone, or of equations alone; None for all.
    """

    about: str
    made: Callable[[Evidence], Iterator[Variant]]
    of_currents: bool | None = None

    def propose(self, evidence: Evidence) -> Iterator[Variant]:
        """Yield the variants that make sense for a population in a history."""
        if self.of_currents in (None, evidence.node.names_bias):
            yield from self.made(evidence)


FAMILIES = (
    Family("weights that the backend itself reports", weights.reported),
    Family("delays", arrivals.delays),
    Family("writes late, lost, or without the bias of signed projections", calls.writes),
    Family("spikes in flight lost by a call or a write", arrivals.lost),
    Family("spikes in flight that survive a reset", arrivals.surviving),
    Family("short-term plasticity", arrivals.releases),
    Family("states that a reset keeps, or a call or a write clears", calls.states),
    Family("method, and length of a step", own.methods, of_currents=False),
    Family("initial values", own.initial_values, of_currents=False),
    Family("order of a step", steps.orders, of_currents=True),
    Family("refractory period", steps.refractory),
    Family("refractory period of each neuron", numbers.periods),
    Family("reset", steps.resets, of_currents=True),
    Family("lines of a reset", steps.reset_lines, of_currents=False),
    Family("value of a reset", numbers.reset_values, of_currents=True),
    Family("value of a line of a reset", own.reset_offsets, of_currents=False),
    Family("rounding of decays, and overflow", steps.roundings, of_currents=True),
    Family("time constants", numbers.decays, of_currents=True),
    Family("biases", numbers.biases, of_currents=True),
    Family("draws of noise", noise.draws),
    Family("neurons that are dead", wiring.neurons),
    Family("spikes that the record has otherwise", wiring.recorded),
    Family("presynaptic neurons that are dead or swapped", wiring.senders),
    Family("order of weights", wiring.arranged),
    Family("spikes that get lost", wiring.lost),
    Family("comparison with the threshold", steps.thresholds),
    Family("threshold", noise.fitted_thresholds, of_currents=True),
    Family("width of the noise", noise.widths),
    Family("floor and ceiling", numbers.bounds, of_currents=True),
    Family("precision of a variable", steps.precisions, of_currents=False),
    Family("rounding of weights", weights.rounded),
    Family("weights by a factor", weights.factors, of_currents=True),
    Family("weights, and where they arrive", own.weights, of_currents=False),
    Family("any weights", weights.changed, of_currents=True),
    Family("share of the current", numbers.gains, of_currents=True),
    Family("parameters", own.parameters, of_currents=False),
)
"""List the families of hypotheses in the order in which they are tried."""
