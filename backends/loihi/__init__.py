"""Run networks on Loihi through nengo-loihi, on its emulator or on a chip.

Installs as ``neurorl.backends.loihi``.
"""

from neurorl.backends.loihi.backend import LoihiBackend

__all__ = ["LoihiBackend"]
