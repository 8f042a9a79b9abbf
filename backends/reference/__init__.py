"""Run networks in NumPy: the executable definition of what a network means.

Installs as ``neurorl.backends.reference``.
"""

from neurorl.backends.reference.backend import ReferenceBackend

__all__ = ["ReferenceBackend"]
