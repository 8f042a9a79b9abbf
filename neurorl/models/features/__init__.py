"""Turn observations into numbers: cells that a network can spike with, features for critics.

Each is a frozen description with a `size` and a call ``features(observation) -> (size,)``. Classes
marked *Cells* give activations in [0, 1] and can drive a source, by an encoder.

``native/src/features.h`` computes the same bits in C; your own class needs `size` and a call.
"""

from neurorl.models.features.base import Features, FromNumbers
from neurorl.models.features.concat import Concat
from neurorl.models.features.fourier import Fourier
from neurorl.models.features.from_features import FromFeatures, Multiply, SubtractMean
from neurorl.models.features.gaussian import RBF, GaussianCells
from neurorl.models.features.hashes import HashedStates
from neurorl.models.features.ranges import RangeFeatures
from neurorl.models.features.raw import Raw
from neurorl.models.features.select import Select, SelectChanges, SelectParts
from neurorl.models.features.states import Combinations, JointStates, OneHot, PlaceCells
from neurorl.models.features.tiles import BinnedCombinations, Tiles

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
