"""Turn observations into numbers: cells that a network can spike with, features for critics.

Each is a frozen description with a `size` and a call ``features(observation) -> (size,)``. Classes
marked *Cells* give activations in [0, 1] and can drive a source, by an encoder.

``native/src/features.h`` computes the same bits in C; your own class needs `size` and a call.
"""

from neurorl.models.features.base import Features, FromNumbers, RangeFeatures, Raw
from neurorl.models.features.bases import RBF, Concat, Fourier, GaussianCells, Tiles
from neurorl.models.features.of_others import (
    FromFeatures,
    Multiply,
    Select,
    SelectChanges,
    SelectParts,
    SubtractMean,
)
from neurorl.models.features.states import (
    BinnedCombinations,
    Combinations,
    HashedStates,
    JointStates,
    OneHot,
    PlaceCells,
)

__all__ = [
    "RBF",
    "BinnedCombinations",
    "Combinations",
    "Concat",
    "Features",
    "Fourier",
    "FromFeatures",
    "FromNumbers",
    "GaussianCells",
    "HashedStates",
    "JointStates",
    "Multiply",
    "OneHot",
    "PlaceCells",
    "RangeFeatures",
    "Raw",
    "Select",
    "SelectChanges",
    "SelectParts",
    "SubtractMean",
    "Tiles",
]
