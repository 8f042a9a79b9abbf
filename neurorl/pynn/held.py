"""Describe the network that a simulator of PyNN plays if it can't keep all delays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neurorl.errors import check_name
from neurorl.network.description import Network, Projection
from neurorl.pynn.lags import lags_of, source_names, steps_there
from neurorl.pynn.targets import TARGETS

__all__ = ["as_held"]


def as_held(network: Network, target: str) -> Network:
    """Return the network that a target plays for *network* in its own steps, without pulses.

    A current acts a step late there, and shorter delays make up for it. Where delays in a loop are
    too short for that, the returned network has longer ones; else it is *network*.
    """
    check_name("target of PyNN", target, TARGETS)
    can, lags = TARGETS[target], lags_of(network, TARGETS[target])
    projections = []
    for p in network.projections:
        if p.pre not in source_names(network):
            steps = steps_there(network, p, lags, can) + can.late - lags[p.post] + lags[p.pre]
            p = _delayed(network, p, steps)
        projections.append(p)
    return replace(network, projections=tuple(projections))


def _delayed(network: Network, p: Projection, steps: npt.NDArray[np.int64]) -> Projection:
    """Return the projection with these delays; itself if it has them."""
    described = network.synapse_delays(p.name)
    if described is not None:
        return p if np.array_equal(steps, described) else replace(p, delay=steps * network.dt)
    if not len(steps) or steps[0] == network.delay_steps(p.name):
        return p
    return replace(p, delay=float(steps[0] * network.dt))
