"""Measure what spikes cost on a chip, by a model of that chip, a `Meter`.

It is no simulator: it is given spikes, and counts them again on its own. `Metering` gives it a
backend's windows, and compares its counts with those of `neurorl.network.cost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from neurorl.backends.checks import Inputs
from neurorl.errors import ArgumentError, BackendError
from neurorl.network.cost import Tally, Weights
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData

METERED = "loihi"  # the chip that there is a model of: a backend and an arithmetic
Expand = Callable[[Inputs, int], Inputs]


class Cost(NamedTuple):
    """Hold a window's spikes, the synapses that they reached, joules by part, and seconds."""

    spikes: int
    synops: int
    energy: Mapping[str, float]
    latency: float


class Meter(Protocol):
    """Model a chip that holds *network*: the described one, with relays in place of delays.

    about: in words what is modelled, what isn't and how wrong it is; numbers of cores and relays.
    history: returns what makes rasters of all nodes, bool ``(steps, size)``, of those described,
    and remembers the spikes of one replica.
    """

    network: Network
    about: PlainData

    def history(self) -> Expand: ...
    def measure(self, rasters: Mapping[str, Array]) -> Cost: ...


class Metering(Tally):
    """Count decisions, and sum up what they cost, each replica on a chip of its own.

    network, weights: as of `Tally`. carries: whether spikes in flight reach the next window. Sums
    are exact, so the order in which replicas play changes nothing.
    """

    def __init__(self, meter: Meter, network: Network, weights: Weights, carries: bool) -> None:
        super().__init__(network, weights)
        self._meter, self._carries = meter, carries
        self._sizes = {node.name: node.size for node in network.nodes}
        self._held = Tally(meter.network)
        self._histories: dict[int, Expand] = {}
        self._costs: list[Cost] = []
        self._counted, self._episodes = (0, 0), 0

    def begin(self, replica: int = 0) -> None:
        """Count an episode, which a replica begins at rest."""
        self._episodes += 1
        self._histories[replica] = self._meter.history()

    def add(
        self, rasters: Mapping[str, Array], n_steps: int, replicas: Sequence[int] | None = None
    ) -> None:
        """Count and measure decisions. Raises BackendError if the model counts otherwise."""
        super().add(rasters, n_steps, replicas)
        for k in (0,) if replicas is None else replicas:
            own = {x: rasters[x][..., k * n : (k + 1) * n] for x, n in self._sizes.items()}
            if not self._carries or k not in self._histories:
                self._histories[k] = self._meter.history()
            expanded = self._histories[k](own, n_steps)
            self._held.add(expanded, n_steps)
            cost = self._meter.measure(expanded)
            self._costs.append(cost)
            self._counted = self._counted[0] + cost.spikes, self._counted[1] + cost.synops
            if self._counted != (ours := self._held.on_chip()):
                what = "counts other spikes and synaptic operations than it was given"
                raise BackendError("energy", what, got=self._counted, limit=ours)

    def result(self) -> PlainData:
        """Return means over all decisions. Raises ArgumentError if there was none.

        Keys: those of `Meter.about`; how many decisions, spikes and synops (of inputs and relays
        too); energy in nJ, its parts, and by `neurorl.network.cost.loihi_energy` for the same
        spikes; latency in us; both of an episode too, if episodes were begun.
        """
        costs, n, episodes = self._costs, len(self._costs), self._episodes
        if not costs:
            raise ArgumentError("energy", "no decision was measured")
        parts = {x: math.fsum(c.energy[x] for c in costs) * 1e9 for x in costs[0].energy}
        total, latency = math.fsum(parts.values()), math.fsum(c.latency for c in costs) * 1e6
        found = {
            **self._meter.about,
            "decisions": n,
            "spikes": self._counted[0],
            "synops": self._counted[1],
            "energy_per_decision_nj": total / n,
            **{f"{name}_nj": part / n for name, part in parts.items()},
            "by_constants_nj": self._held.per_decision()["energy_per_decision_j"] * 1e9,
            "latency_per_decision_us": latency / n,
        }
        if episodes:
            found["energy_per_episode_nj"] = total / episodes
            found["latency_per_episode_us"] = latency / episodes
        return found
