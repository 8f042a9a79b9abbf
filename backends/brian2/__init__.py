"""Brian2: the description as readable Brian2 equations, stepped without `Network.run`."""

from neurorl.backends.brian2.backend import Brian2Backend

__all__ = ["Brian2Backend"]
