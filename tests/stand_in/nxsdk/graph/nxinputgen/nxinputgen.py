"""Take input spikes that are known before a run."""

from typing import Any


class BasicSpikeGenerator:
    """Note spikes, ``(time, chip, core, axon)``, in the order of their calls."""

    def __init__(self, board: Any) -> None:
        self.spikes: list[tuple[int, int, int, int]] = []

    def addSpike(self, time: int, chipId: int, coreId: int, axonId: int) -> None:
        self.spikes.append((time, chipId, coreId, axonId))

    addPop16Spike = addPop32Spike = addSpike
