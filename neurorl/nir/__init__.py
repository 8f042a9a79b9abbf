"""Translate networks for inference from and to NIR, the Neuromorphic Intermediate Representation.

Source: Pedersen et al. 2024, doi:10.1038/s41467-024-52259-9. Needs ``pip install 'neurorl[nir]'``.

**Time.** NIR's equations are continuous and its files know no step. With a step *dt*, an equation
``tau x' = -x + r i`` becomes ``x <- keep x + gain i``:

- ``'euler'`` (the meaning in files of snnTorch, Norse and Lava):
  ``keep = 1 - dt/tau``, ``gain = r dt/tau``;
- ``'exponential'`` (the exact solution for an input held through the step):
  ``keep = exp(-dt/tau)``, ``gain = r (1 - exp(-dt/tau))``.

Our neurons have ``keep = exp(-dt/tau_mem)`` and gain 1. So a file is read with
``tau_mem = -dt/log(keep)`` and the gain in the weights, and is written, in Euler's convention, with
``tau = dt/(1 - keep)``, ``r = 1/(1 - keep)``. Both ways keep every bit of ``keep``.

**Steps.** In snnTorch and Norse a layer answers in the step of its input; here every projection
takes one. See `from_nir` for what makes them equal.
"""

from neurorl.nir.load import from_nir
from neurorl.nir.package import DroppedWarning
from neurorl.nir.readers import READERS, Reader
from neurorl.nir.write import Written, reader_problems, to_nir

__all__ = [
    "READERS",
    "DroppedWarning",
    "Reader",
    "Written",
    "from_nir",
    "reader_problems",
    "to_nir",
]
