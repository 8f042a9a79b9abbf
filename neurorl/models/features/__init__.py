"""Turn observations into numbers: cells that a network can spike with, features for critics.

Each is a frozen description with a `size` and a call ``features(observation) -> (size,)``. Classes
marked *Cells* give activations in [0, 1] and can drive a source, by an encoder.

``native/src/features.h`` computes the same bits in C; your own class needs `size` and a call.
"""

from neurorl.models.features.base import Features, FromNumbers
from neurorl.models.features.concat import Concat
from neurorl.models.features.derived import Centred, Derived, Scaled
from neurorl.models.features.fourier import Fourier
from neurorl.models.features.gaussian import RBF, GaussianCells
from neurorl.models.features.hashed import HashedStates
from neurorl.models.features.picked import Picked, PickedChanges, PickedParts
from neurorl.models.features.ranged import Ranged
from neurorl.models.features.states import Combinations, JointStates, OneHot, PlaceCells
from neurorl.models.features.tiles import BinnedCombinations, Tiles

__all__ = [
    "RBF",
    "BinnedCombinations",
    "Centred",
    "Combinations",
    "Concat",
    "Derived",
    "Features",
    "Fourier",
    "FromNumbers",
    "GaussianCells",
    "HashedStates",
    "JointStates",
    "OneHot",
    "Picked",
    "PickedChanges",
    "PickedParts",
    "PlaceCells",
    "Ranged",
    "Scaled",
    "Tiles",
]
