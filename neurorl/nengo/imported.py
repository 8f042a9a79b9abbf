"""Import nengo when it is first needed, and hold the description read from one of its networks."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import ArgumentError, BackendUnavailableError
from neurorl.network.description import Network
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import BoolArray
from neurorl.storage.plain import Named

NengoObject = Any
"""Represent a module of nengo or nengo-loihi, or an object of theirs, which have no types."""


def load_nengo() -> NengoObject:
    """Return the module ``nengo``. Raises BackendUnavailableError if it is missing."""
    return _load("nengo")


def load_nengo_loihi() -> NengoObject:
    """Return the module ``nengo_loihi``, mended for NumPy 2; else as `load_nengo`."""
    module = _load("nengo_loihi")
    importlib.import_module("neurorl.backends.loihi.vendor")
    return module


def _load(name: str) -> NengoObject:
    try:
        # nengo-loihi warns of every nengo newer than 3.2
        with warnings.catch_warnings(action="ignore"):
            return importlib.import_module(name)
    except ImportError as exc:
        what, remedy = f"{name} can't be imported", f"pip install {name.replace('_', '-')}"
        raise BackendUnavailableError("nengo", what, remedy=remedy) from exc


Rasters = dict[str, BoolArray]


@dataclass(frozen=True)
class Imported:
    """Hold a description, and the nengo object of each of its parts.

    network: the description.
    populations: by nengo object, the names of its populations; several if nengo-loihi split it.
    sources: by name of a source, the nengo object whose spikes it gives.
    notes: differences from nengo, a line each.
    probes: by nengo's probe of spikes, the names of the populations to record.
    play: see `inputs`.
    """

    network: Network
    populations: Mapping[NengoObject, tuple[str, ...]]
    sources: Named
    notes: tuple[str, ...]
    probes: Mapping[NengoObject, tuple[str, ...]]
    play: Callable[[int], Rasters]

    def inputs(self, n_steps: int) -> Rasters:
        """Return the rasters of the sources in a run of nengo's own simulator, from its start."""
        return self.play(positive("Imported.inputs", n_steps))

    @property
    def record(self) -> tuple[str, ...]:
        """Return the populations whose spikes nengo probes, for ``load(..., record=)``."""
        return tuple(dict.fromkeys(name for names in self.probes.values() for name in names))

    def spikes(self, probe: NengoObject, rasters: Mapping[str, BoolArray]) -> NengoObject:
        """Return the record of *probe*: columns of *rasters*, 0 or 1 spike a step."""
        if probe not in self.probes:
            what, remedy = "not a probe of spikes of this network", "see Imported.probes"
            raise ArgumentError("Imported.spikes", what, got=str(probe), remedy=remedy)
        whole = np.hstack([rasters[name] for name in self.probes[probe]])
        return whole if probe.slice is None else whole[:, probe.slice]


def probed(
    network: NengoObject, populations: Mapping[NengoObject, tuple[str, ...]]
) -> dict[NengoObject, tuple[str, ...]]:
    """Return the populations to record for each probe of spikes in *network*."""
    read = [x for x in network.all_probes if x.attr in ("output", "spikes")]
    of = {x: x.obj.ensemble for x in read if hasattr(x.obj, "ensemble")}
    return {probe: populations[x] for probe, x in of.items() if x in populations}
