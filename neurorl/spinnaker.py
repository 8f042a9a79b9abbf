"""Say a rule as sPyNNaker's neuromodulated STDP, with its constants; see docs/pynn.md.

sPyNNaker (``STDPMechanism`` of ``SpikePairRule`` and additive weights, with a ``Neuromodulation``
projection on the same neurons) has for each synapse, in ms, with D raised by spikes of dopamine::

    C' = -C / tau_c + A_plus x (post spike) - A_minus y (pre spike)     C held in its bounds, >= 0
    D' = -D / tau_d + concentration (dopamine spike)
    w' = C D                                                            w held in its bounds, >= 0

x and y are traces of the spikes of both sides, all to all; the bounds of C are those of its
additive weight dependence, those of w the `Neuromodulation`'s. A lone pulse of concentration c so
changes a weight by ``c C tau``, ``1 / tau = 1 / tau_c + 1 / tau_d``, once D is gone; `Learning`
changes it by ``rate M e`` at once. With ``C = A_plus e`` both are the same for
``c = rate M / (A_plus tau)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurorl.errors import UnsupportedError
from neurorl.network.plasticity import Plasticity
from neurorl.rules import Rule, find_rule

__all__ = ["NeuromodulatedStdp", "neuromodulated_stdp"]

FIXED = 2048
"""Hold what is 1 in its fixed-point numbers; concentrations have 16 bits."""


@dataclass(frozen=True)
class NeuromodulatedStdp:
    """Hold sPyNNaker's constants, named as there; times in ms.

    c_max: the largest C, whose least is 0. concentration: of a dopamine spike for a modulator of 1,
    by the receptor ``reward``; for a negative one by ``punishment``. notes: in what it isn't the
    rule's own.
    """

    tau_plus: float
    tau_minus: float
    A_plus: float
    A_minus: float
    tau_c: float
    tau_d: float
    w_min: float
    w_max: float
    c_max: float
    concentration: float
    notes: tuple[str, ...]

    @property
    def tau(self) -> float:
        """Return what a pulse of dopamine is integrated with, in ms."""
        return 1 / (1 / self.tau_c + 1 / self.tau_d)

    def build(self, simulator: Any, weight: Any, delay: Any) -> tuple[Any, Any]:
        """Return the synapse types of the learning projection, and of dopamine's, of sPyNNaker.

        simulator: ``spynnaker.pyNN``. weight, delay: of the learning projection, nA and ms. The
        second goes with ``receptor_type="reward"`` or ``"punishment"``.
        """
        own = vars(self)
        pairs = {name: own[name] for name in ("tau_plus", "tau_minus", "A_plus", "A_minus")}
        decays = {name: own[name] for name in ("tau_c", "tau_d", "w_min", "w_max")}
        learns = simulator.STDPMechanism(
            timing_dependence=simulator.SpikePairRule(**pairs),
            weight_dependence=simulator.AdditiveWeightDependence(w_min=0.0, w_max=self.c_max),
            weight=weight,
            delay=delay,
        )
        dopamine = simulator.extra_models.Neuromodulation
        return learns, dopamine(weight=abs(self.concentration), **decays)


def neuromodulated_stdp(
    rule: str | Rule,
    plasticity: Plasticity,
    *,
    rate: float,
    eligibility_tau: float,
    post_tau: float = 0.02,
    depression: float = 0.0,
    dopamine_tau: float = 5e-3,
    a_plus: float = 1.0,
    c_max: float = 16.0,
) -> NeuromodulatedStdp:
    """Return the constants by which sPyNNaker learns as `Learning` does by a rule.

    rule: one of those that add the same number at every spike of the neuron: ``'reward-stdp'`` or
    ``'mstdpet'``. plasticity: of the projection, whose ``trace_tau`` is the presynaptic one.
    rate, eligibility_tau, post_tau, depression: as of `Learning`, seconds; the rule's own take
    their place. dopamine_tau: how long a pulse acts, seconds: short beside the time between it and
    the next spikes. a_plus: how its 16 bits share out between eligibility and dopamine.

    Raises UnsupportedError for what means something else there.
    """
    rule = find_rule(rule)
    where = f"sPyNNaker, rule {rule.name!r}"
    gain = _gain(rule, where)
    if plasticity.low < 0:
        raise UnsupportedError(where, "weights below 0", got=plasticity.low, limit="low >= 0")
    tau_c = 1e3 * _own(rule.eligibility_tau, eligibility_tau)
    tau_d = 1e3 * dopamine_tau
    tau_minus = 1e3 * _own(rule.post_tau, post_tau)
    amount = _own(rule.depression, depression)
    times = {"trace_tau": plasticity.trace_tau, "eligibility_tau": tau_c, "dopamine_tau": tau_d}
    for name, value in (times | {"post_tau": tau_minus}).items():
        if not value > 0:
            raise UnsupportedError(where, f"{name} of 0", got=value, limit="> 0")
    tau = 1 / (1 / tau_c + 1 / tau_d)
    concentration = rate / (a_plus * tau)
    if not 1 <= abs(concentration) * FIXED < 2**15:
        what, remedy = "a concentration beyond 16 bits", "another a_plus or dopamine_tau"
        got, limit = f"{concentration:.3g}", f"{1 / FIXED:.3g} to {2**15 / FIXED:g}"
        raise UnsupportedError(where, what, got=got, limit=limit, remedy=remedy)
    notes = ["pairs of one step don't count there", "spikes within a few dopamine_tau learn, too"]
    if amount:
        notes.append("an eligibility doesn't fall below 0 there")
    return NeuromodulatedStdp(
        tau_plus=1e3 * plasticity.trace_tau,
        tau_minus=tau_minus,
        A_plus=a_plus * gain,
        A_minus=a_plus * amount,
        tau_c=tau_c,
        tau_d=tau_d,
        w_min=plasticity.low,
        w_max=plasticity.high,
        c_max=c_max,
        concentration=concentration,
        notes=tuple(notes),
    )


def _own(of_rule: float | None, given: float) -> float:
    return given if of_rule is None else of_rule


def _gain(rule: Rule, where: str) -> float:
    """Return what a spike adds, which must be the same for every spike and neuron."""
    what = "isn't pairs of spikes times one modulator for all"
    remedy = "take reward-stdp or mstdpet"
    plain = rule.is_text and rule.pairs_spikes and rule.output == rule.hidden
    if not plain or rule.eligibility_keep is not None or rule.named - {"spike"}:
        raise UnsupportedError(where, what, got=rule.output, remedy=remedy)
    text = (rule.output or "").replace(" ", "")
    number = text.removeprefix("spike")
    try:
        if text == "spike":
            return 1.0
        if number.startswith("/"):
            return 1 / float(number[1:])
        if number.startswith("*"):
            return float(number[1:])
    except ValueError:
        pass
    raise UnsupportedError(where, what, got=rule.output, remedy=remedy)
