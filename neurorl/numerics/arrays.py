"""Name the kinds of arrays that functions take and return."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Represent an array of numbers or booleans of any type."""

FloatArray = npt.NDArray[np.float64]
"""Represent an array of float64."""
