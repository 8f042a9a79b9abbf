"""Define neuron models and the networks built from them. Installs as ``neurorl.models``."""

if __name__ != "neurorl.models":
    raise ImportError(f"import this folder as 'neurorl.models', not {__name__!r}")

from neurorl.models.actor import actor_network
from neurorl.models.neurons.equations import Equations
from neurorl.models.neurons.leaky import GLM, LIF, CubaLIF, InChipUnits, Lesion, shift_lif
from neurorl.models.neurons.published import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH
from neurorl.network.between import Between
from neurorl.network.connectors import (
    AllToAll,
    Blocks,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    OneToOne,
    Synapses,
)
from neurorl.network.replicate import on_chip
from neurorl.network.spatial import ExponentialDistance, GaussianDistance

__all__ = [
    "ADAPTIVE_LIF",
    "ADEX",
    "COBA_LIF",
    "GLM",
    "IZHIKEVICH",
    "LIF",
    "AllToAll",
    "Between",
    "Blocks",
    "CubaLIF",
    "Equations",
    "ExponentialDistance",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "GaussianDistance",
    "InChipUnits",
    "Lesion",
    "OneToOne",
    "Synapses",
    "actor_network",
    "on_chip",
    "shift_lif",
]
