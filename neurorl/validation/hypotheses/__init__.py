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
)
from neurorl.validation.variants import Variant

CURRENTS, EQUATIONS, SHIFTS = ("currents",), ("equations",), ("shifts",)


@dataclass(frozen=True)
class Family:
    """Propose variants of one kind.

    about: what may differ, in the words of docs/validation.md. made: proposes them. kinds: of the
    neurons that may have it: with a current and a membrane, by equations, or by a chip's shifts.
    """

    about: str
    made: Callable[[Evidence], Iterator[Variant]]
    kinds: tuple[str, ...] = (*CURRENTS, *EQUATIONS, *SHIFTS)

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
    Family("method, and length of a step", own.methods, kinds=EQUATIONS),
    Family("initial values", own.initial_values, kinds=EQUATIONS),
    Family("order of a step", steps.orders, kinds=CURRENTS),
    Family("refractory period", steps.refractory, kinds=(*CURRENTS, *EQUATIONS)),
    Family("refractory period of each neuron", numbers.periods, kinds=(*CURRENTS, *EQUATIONS)),
    Family("reset", steps.resets, kinds=CURRENTS),
    Family("lines of a reset", steps.reset_lines, kinds=EQUATIONS),
    Family("value of a reset", numbers.reset_values, kinds=CURRENTS),
    Family("value of a line of a reset", own.reset_offsets, kinds=EQUATIONS),
    Family("rounding of decays, and overflow", steps.roundings, kinds=CURRENTS),
    Family("time constants", numbers.decays, kinds=CURRENTS),
    Family("shifts and roundings of decays", shifts.decays, kinds=SHIFTS),
    Family("saturation", shifts.saturations, kinds=SHIFTS),
    Family("several spikes in a step", shifts.spikes, kinds=SHIFTS),
    Family("lines of a step in whole numbers", shifts.fixed, kinds=SHIFTS),
    Family("value of a reset by subtraction", mantissas.reset_values, kinds=SHIFTS),
    Family("thresholds in whole numbers", mantissas.thresholds, kinds=SHIFTS),
    Family("mantissas and shifts of weights", mantissas.weights, kinds=SHIFTS),
    Family("biases", numbers.biases, kinds=(*CURRENTS, *SHIFTS)),
    Family("draws of noise", noise.draws),
    Family("comparison with the threshold", steps.thresholds, kinds=(*CURRENTS, *EQUATIONS)),
    Family("threshold", noise.fitted_thresholds, kinds=CURRENTS),
    Family("width of the noise", noise.widths),
    Family("floor and ceiling", numbers.bounds, kinds=CURRENTS),
    Family("precision of a variable", steps.precisions, kinds=EQUATIONS),
    Family("rounding of weights", weights.rounded, kinds=(*CURRENTS, *EQUATIONS)),
    Family("weights by a factor", weights.factors, kinds=(*CURRENTS, *SHIFTS)),
    Family("weights, and where they arrive", own.weights, kinds=EQUATIONS),
    Family("any weights", weights.changed, kinds=(*CURRENTS, *SHIFTS)),
    Family("share of the current", numbers.gains, kinds=CURRENTS),
    Family("parameters", own.parameters, kinds=EQUATIONS),
)
"""List the families of hypotheses in the order in which they are tried."""
