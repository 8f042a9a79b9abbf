"""Choose where weights learn: on the host, or on the chip by its own rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neurorl.models.agent.answers import Check
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import Range, flag

__all__ = ["PLACES", "Host", "OnChip", "Place"]


@dataclass(frozen=True, eq=False)
class Place(Part):
    """Name where weights learn; a backend lists its places in ``capabilities.learnings``.

    on_chip: whether the chip changes its weights itself.
    """

    attributes: ClassVar[Mapping[str, Check]] = {"on_chip": flag}
    on_chip: ClassVar[bool] = False
    _place = "agent.learning"

    def backend_options(self) -> dict[str, Any]:
        """Return the options that a backend needs for it."""
        return {}


@dataclass(frozen=True, eq=False)
class Host(Place):
    """Learn on the host, which writes the weights to the backend."""

    name: ClassVar[str] = "host"


@dataclass(frozen=True, eq=False)
class OnChip(Place):
    """Learn on the chip by its rule PES (`neurorl.learning.loops.numpy`).

    The chip gets modulator times post factor, and has only the trace of inputs that the last window
    left, so ``lambda_actor`` must be 0.
    magnitude: what a spike adds to that trace, in (0, 127]. The larger it is, the smaller errors
        are, and the more coarsely rounded; the smaller it is, the sooner errors are clipped.
    """

    name: ClassVar[str] = "pes"
    on_chip: ClassVar[bool] = True

    magnitude: Annotated[float, Range(0.0, 127.0)] = 20.0

    def backend_options(self) -> dict[str, Any]:
        return {"learning": self.name, "pes_magnitude": self.magnitude}


PLACES: Registry[Place] = Registry("learning", Place, Host, OnChip, compiled=False)
"""Map the name of each place of learning to its class."""
