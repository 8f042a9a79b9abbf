"""Make test vectors of Loihi's integer neurons; `scripts/conformance.py` is the command."""
