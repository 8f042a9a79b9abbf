"""Describe what a simulator can run, and find the parts of a network that it can't."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.network.description import Network
from neurorl.network.replicate import on_chip

__all__ = ["Capabilities"]


@dataclass(frozen=True)
class Capabilities:
    """Describe what a simulator can run; checked before anything is built.

    arithmetics: names of the arithmetics, the default first.
    exact_arithmetics: those in which it equals the reference in every spike.
    delays: whether delays may be more than one step.
    signed: whether projections may be signed.
    currents: whether there may be sources of currents. values: of values, and gap
        junctions, in float arithmetic.
    max_population: most neurons of one population; None for no limit.
    core_weights: how many weights, of the widest kind, one core has room for; None without cores.
    engines: ways to run the same network, the preferred one first.
    noises: kinds of escape noise, see `neurorl.arithmetic.chip_noise`; all but the first
        in chip arithmetic only.
    equations: whether it runs neurons by equations, in float arithmetic.
    sparse: whether projections may be lists of synapses. synapse_delays: whether these may have a
        delay each.
    short_term: the most steps of delay of a projection with short-term plasticity, in float
        arithmetic; 0 if there may be none.
    learnings: who can change the weights, ``'host'`` or a rule of the simulator.
    """

    arithmetics: tuple[str, ...]
    exact_arithmetics: tuple[str, ...]
    delays: bool = True
    signed: bool = True
    currents: bool = True
    values: bool = False
    max_population: int | None = None
    core_weights: int | None = None
    engines: tuple[str, ...] = ()
    noises: tuple[str, ...] = ("exact",)
    learnings: tuple[str, ...] = ("host",)
    equations: bool = False
    sparse: bool = False
    synapse_delays: bool = False
    short_term: int = 0

    def problems(self, network: Network, arithmetic: str) -> list[str]:
        """Return a line for each part of *network* that exceeds these; empty if none does."""
        return list(dict.fromkeys(self._problems(network, arithmetic)))

    def _problems(self, network: Network, arithmetic: str) -> Iterator[str]:
        is_chip = arithmetic in ARITHMETICS and ARITHMETICS[arithmetic].is_chip
        network = on_chip(network) if is_chip else network
        if arithmetic not in self.arithmetics:
            yield f"arithmetic {arithmetic!r} (has {', '.join(self.arithmetics)})"
        for population in network.populations:
            who = f"population {population.name!r} of"
            if self.max_population is not None and population.size > self.max_population:
                remedy = "split it into several populations"
                yield f"{who} {population.size} neurons (limit {self.max_population}; {remedy})"
            if not population.is_integrator(network.dt) and not (self.equations and not is_chip):
                other = " in chip arithmetic that are no LIF or CubaLIF" * is_chip
                yield f"{who} neurons by equations{other} (the nearest it has: CubaLIF, LIF)"
        for name, kind in network.analog.items():
            if kind == "currents" and not self.currents:
                yield f"source {name!r} of currents (take the encoder 'quiet')"
            if kind == "values" and (is_chip or not self.values):
                where = " in chip arithmetic" * (is_chip and self.values)
                yield f"source {name!r} of values{where} (take spikes, or a source of currents)"
        for p in network.projections:
            which, steps = f"projection {p.name!r}", network.delay_steps(p.name)
            if steps > 1 and not self.delays:
                yield f"{which} with a delay of more than one step (leave it out)"
            if p.is_sparse and not self.sparse:
                yield f"{which} of listed synapses (take a mask)"
            elif p.has_delays and not self.synapse_delays:
                yield f"{which} with a delay for each synapse (one projection a delay)"
            short = f"{which} with short-term plasticity"
            if p.short_term is not None and (is_chip or not self.short_term):
                where = " in chip arithmetic" * is_chip
                yield f"{short}{where} (it has none; leave out short_term=)"
            elif p.short_term is not None and steps > self.short_term:
                yield f"{short} and a delay of {steps} steps (limit {self.short_term})"
            if p.gap is not None and (is_chip or not self.values):
                yield f"{which} of gap junctions{' in chip arithmetic' * is_chip} (leave it out)"
            if p.signed and not self.signed:
                yield f"signed {which}"
        if arithmetic in ARITHMETICS:
            yield from ARITHMETICS[arithmetic].problems(network)
