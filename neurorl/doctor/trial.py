"""Run five steps of a small network on a backend: ``python -m neurorl.doctor.trial NAME OUT``.

Nothing of the package imports this, so that it can be run so.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np

from neurorl.backends.registry import variants
from neurorl.backends.spec import BackendSpec
from neurorl.errors import FallbackWarning, one_line
from neurorl.testing.networks import FEATURES


def five_steps(spec: BackendSpec) -> None:
    """Run five steps of a small network; raises whatever the backend does, or if spikes differ."""
    network = FEATURES["LIF"]()
    inputs = {"input": np.ones((5, 6), dtype=bool)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", FallbackWarning)  # it would be another backend that works
        with spec.load(network) as backend:
            spikes = backend.step(inputs, 5)
    with BackendSpec("reference", spec.arithmetic).load(network) as reference:
        expected = reference.step(inputs, 5)
    if not any(raster.any() for raster in spikes.values()):
        raise RuntimeError("its neurons are silent where the reference's spike")
    if spec.is_exact and not all(np.array_equal(spikes[k], expected[k]) for k in expected):
        raise RuntimeError("its spikes are not the reference's")


def main(name: str, out: str) -> None:
    """Write a line of JSON for each way as soon as it is known: null, or the problem."""
    with open(out, "a") as file:
        for spec in variants(name):
            problem = None
            try:
                five_steps(spec)
            except Exception as exc:  # a simulator may fail in any way
                problem = one_line(exc) or type(exc).__name__
            print(json.dumps(problem), file=file, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
