"""What fits a core of Loihi, one population to a core, and what of a network doesn't."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.synapses import Layout
from neurorl.backends.loihi.vendor import (
    MAX_COMPARTMENTS,
    MAX_IN_AXONS,
    MAX_OUT_AXONS,
    MAX_SYNAPSE_BITS,
)
from neurorl.description import Network
from neurorl.errors import UnsupportedError
from neurorl.quantiser import ChipNetwork, quantise

__all__ = [
    "LIMITS",
    "MAX_DYNAMICS",
    "MAX_THRESHOLDS",
    "chip_problems",
    "usage",
]

LIMITS = {
    "compartments": MAX_COMPARTMENTS,
    "axons_in": MAX_IN_AXONS,
    "axons_out": MAX_OUT_AXONS,
    "synapse_bits": MAX_SYNAPSE_BITS,
}
"""Resource of a core -> how much there is of it."""

MAX_DYNAMICS = 31
"""Different triples of current decay, voltage decay and refractory period on one core."""

MAX_THRESHOLDS = 7
"""Different thresholds on one core."""

_WORDS = {
    "axons_in": (
        "axons into its core",
        "split it, or what projects to it, into several populations",
    ),
    "axons_out": ("axons out of its core", "split it, or leave projections out"),
    "synapse_bits": (
        "bits of synapses",
        "split it into several populations, or use blocks or a mask",
    ),
}


def usage(network: Network) -> list[dict[str, Any]]:
    """What each population takes of its core; a row has the keys of `LIMITS`, and percentages.

    network: of one-step delays, with relays for longer ones as populations.
    """
    rows = []
    for population in network.populations:
        into = [p for p in network.spiking.projections if p.post == population.name]
        out_of = [p for p in network.projections if p.pre == population.name]
        used = {
            "compartments": population.size,
            "axons_in": sum(network.node(p.pre).size for p in into),
            "axons_out": population.size * len(out_of),
            "synapse_bits": sum(Layout.of(network, p).bits() for p in into),
        }
        percent = {f"{key}_percent": 100 * used[key] / LIMITS[key] for key in used}
        rows.append({"population": population.name, "cores": 1, **used, **percent})
    return rows


def chip_problems(network: Network) -> list[str]:
    """What of *network* doesn't fit, a line each, besides populations of too many neurons."""
    if not network.populations:
        return ["a network without a population (add one)"]
    found = []
    own = {p.name for p in network.populations}
    network = relayed(network).network
    for row in usage(network):
        kind = "population" if row["population"] in own else "relays"
        for key, (words, remedy) in _WORDS.items():
            if row[key] > LIMITS[key]:
                found.append(
                    f"{kind} {row['population']!r} with {row[key]} {words}"
                    f" (limit {LIMITS[key]}; {remedy})"
                )
    try:
        return found + _profile_problems(quantise(network))
    except UnsupportedError as exc:
        return [*found, str(exc)]


def _profile_problems(chip: ChipNetwork) -> list[str]:
    found = []
    for population in chip.populations.values():
        decays = (population.current_decay, population.voltage_decay, population.refractory)
        dynamics = np.unique(np.stack(decays), axis=1).shape[1]
        thresholds = len(np.unique(population.threshold))
        for number, words, limit in (
            (dynamics, "sets of decays and refractory period", MAX_DYNAMICS),
            (thresholds, "thresholds", MAX_THRESHOLDS),
        ):
            if number > limit:
                found.append(
                    f"population {population.name!r} with {number} different {words}"
                    f" (limit {limit}; split it, or let neurons share them)"
                )
    return found
