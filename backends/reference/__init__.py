"""The NumPy backend: the living definition of what a network means."""

from neurorl.backends.reference.backend import ReferenceBackend

__all__ = ["ReferenceBackend"]
