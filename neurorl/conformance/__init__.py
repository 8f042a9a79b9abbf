"""Run test vectors on a chip or its emulator: ``python -m neurorl.conformance`` writes a report."""
