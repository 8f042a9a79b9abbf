"""Find populations and policies that learning has lost, and say what to do."""

from neurorl.diagnostics.monitor import Monitor

__all__ = ["Monitor"]
