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
    mantissas,
    noise,
    numbers,
    own,
    shifts,
    steps,
    weights,
    wiring,
)
from neurorl.validation.variants import Variant

CURRENTS, EQUATIONS, SHIFTS = ("currents",), ("equations",), ("shifts",)
NO_SHIFTS, NO_EQUATIONS = CURRENTS + EQUATIONS, CURRENTS + SHIFTS


@dataclass(frozen=True)
class Family:
    """Propose variants of one kind.

    about: what may differ, in the words of docs/validation.md. made: proposes them. kinds: of the
    neurons that may have it: with a current and a membrane, by equations, or by a chip's shifts.
    """

    about: str
    made: Callable[[Evidence], Iterator[Variant]]
    kinds: tuple[str, ...] = CURRENTS + EQUATIONS + SHIFTS

    def propose(self, evidence: Evidence) -> Iterator[Variant]:
        """Yield the variants that make sense for a population in a history."""
        if evidence.kind in self.kinds:
            yield from self.made(evidence)


FAMILIES = (
    Family("weights that the backend itself reports", weights.reported),
    Family("delays", arrivals.delays),
    Family("writes late, lost, or without the bias of signed projections", calls.writes),
    Family("spikes in flight lost by a call or a write", arrivals.lost),
    Family("spikes in flight that survive a reset", arrivals.surviving),
    Family("short-term plasticity", arrivals.releases),
    Family("states that a reset keeps, or a call or a write clears", calls.states),
    Family("method, and length of a step", own.methods, EQUATIONS),
    Family("initial values", own.initial_values, EQUATIONS),
    Family("order of a step", steps.orders, CURRENTS),
    Family("refractory period", steps.refractory, NO_SHIFTS),
    Family("refractory period of each neuron", numbers.periods, NO_SHIFTS),
    Family("reset", steps.resets, CURRENTS),
    Family("lines of a reset", steps.reset_lines, EQUATIONS),
    Family("value of a reset", numbers.reset_values, NO_EQUATIONS),
    Family("value of a line of a reset", own.reset_offsets, EQUATIONS),
    Family("rounding of decays, and overflow", steps.roundings, CURRENTS),
    Family("time constants", numbers.decays, CURRENTS),
    Family("shifts and roundings of decays", shifts.decays, SHIFTS),
    Family("saturation", shifts.saturations, SHIFTS),
    Family("several spikes in a step", shifts.spikes, SHIFTS),
    Family("lines of a step in whole numbers", shifts.fixed, SHIFTS),
    Family("thresholds in whole numbers", mantissas.thresholds, SHIFTS),
    Family("mantissas of weights", mantissas.weights, SHIFTS),
    Family("shifts of weights", mantissas.weight_shifts, SHIFTS),
    Family("biases", numbers.biases, NO_EQUATIONS),
    Family("draws of noise", noise.draws),
    Family("neurons that are dead", wiring.neurons),
    Family("spikes that the record has otherwise", wiring.recorded),
    Family("presynaptic neurons that are dead or swapped", wiring.senders),
    Family("order of weights", wiring.arranged),
    Family("spikes that get lost", wiring.lost),
    Family("comparison with the threshold", steps.thresholds, NO_SHIFTS),
    Family("threshold", noise.fitted_thresholds, CURRENTS),
    Family("width of the noise", noise.widths),
    Family("floor and ceiling", numbers.bounds, CURRENTS),
    Family("precision of a variable", steps.precisions, EQUATIONS),
    Family("rounding of weights", weights.rounded, NO_SHIFTS),
    Family("weights by a factor", weights.factors, NO_EQUATIONS),
    Family("weights, and where they arrive", own.weights, EQUATIONS),
    Family("any weights", weights.changed, NO_EQUATIONS),
    Family("share of the current", numbers.gains, CURRENTS),
    Family("parameters", own.parameters, EQUATIONS),
)
"""List the families of hypotheses in the order in which they are tried."""
