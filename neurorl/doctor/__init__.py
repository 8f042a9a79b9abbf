"""Examine an installation: versions, compiler, cache, every backend on a small network."""

from neurorl.doctor.examination import examine, verdict

__all__ = ["examine", "verdict"]
