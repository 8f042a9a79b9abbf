"""Run networks on Brian2: readable equations, stepped without `Network.run`.

Installs as ``neurorl.backends.brian2``.
"""

from neurorl.backends.brian2.backend import Brian2Backend

__all__ = ["Brian2Backend"]
