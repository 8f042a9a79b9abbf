"""Examine an installation: versions, compiler, cache, every backend on a small network."""
