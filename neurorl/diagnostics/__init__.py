"""Finds populations and policies that learning has lost, and says what to do."""

from neurorl.diagnostics.monitor import Monitor

__all__ = ["Monitor"]
