"""Loihi by nengo-loihi: its emulator, or a chip. Installs as ``neurorl.backends.loihi``."""

from neurorl.backends.loihi.backend import LoihiBackend

__all__ = ["LoihiBackend"]
