"""Make neurons whose decays are shifts of bits, in the integers of a chip that has such."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.models.neurons.leaky import CubaLIF, InChipUnits

_RANGES = {"shift_syn": (1, 15), "shift_mem": (0, 15), "threshold": (1, 2**15 - 1)}


def shift_lif(
    shift_syn: npt.ArrayLike = 3,
    shift_mem: npt.ArrayLike = 5,
    threshold: npt.ArrayLike = 256,
    bias: npt.ArrayLike = 0,
    dt: float = 1e-3,
) -> InChipUnits:
    """Return neurons whose numbers are the integers of arithmetic ``xylo``, weights into them too.

    `neurorl.arithmetic.xylo_integers` has their step. In other arithmetics it is the `CubaLIF` of
    the same decays, whose membrane is larger by ``1 / (1 - 2**-shift_syn)``.

    shift_syn: of the current, 1 to 15. shift_mem: of the membrane, 0 to 15; 0 forgets it.
    threshold: the least membrane that spikes, and what a spike takes off it, 1 to 32767. bias: what
    every step adds to the membrane, 16 bits. Whole numbers, or arrays ``(size,)`` of such. dt: the
    network's, s.
    """
    named = {"shift_syn": shift_syn, "shift_mem": shift_mem, "threshold": threshold}
    values = {name: np.asarray(value, dtype=np.float64) for name, value in named.items()}
    for name, (low, high) in _RANGES.items():
        value = values[name]
        if ((value < low) | (value > high) | (value % 1 != 0)).any():
            limit = f"whole numbers of {low} to {high}"
            raise DescriptionError(f"shift_lif, {name}", "out of range", got=value, limit=limit)
    with np.errstate(divide="ignore"):
        syn, mem = (-dt / np.log1p(-(2.0 ** -values[x])) for x in ("shift_syn", "shift_mem"))
    kept = 1 - 2.0 ** -values["shift_syn"]
    # From the threshold on, whole numbers are over it less a half.
    neuron = CubaLIF(syn, mem, (values["threshold"] - 0.5) / kept, np.asarray(bias) / kept)
    return InChipUnits(neuron, 1.0)
