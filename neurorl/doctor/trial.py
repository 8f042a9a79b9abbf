"""Run five steps of a small network on a backend: ``python -m neurorl.doctor.trial NAME OUT``.

Nothing of the package imports this, so that it can be run so.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np

from neurorl.backends.registry import backend_class, load, ways
from neurorl.doctor.rows import one_line
from neurorl.testing.networks import FEATURES

__all__ = ["five_steps", "main"]


def five_steps(name: str, options: dict[str, Any]) -> None:
    """Run five steps of a small network; raises whatever the backend does, or if spikes differ."""
    network = FEATURES["LIF"]()
    inputs = {"input": np.ones((5, 6), dtype=bool)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with load(name, network, **options) as tried:
            spikes = tried.step(inputs, 5)
            is_exact = tried.arithmetic_name in tried.capabilities.exact_arithmetics
    with load("reference", network, arithmetic=options["arithmetic"]) as reference:
        expected = reference.step(inputs, 5)
    if not any(raster.any() for raster in spikes.values()):
        raise RuntimeError("its neurons are silent where the reference's spike")
    if is_exact and not all(np.array_equal(spikes[k], expected[k]) for k in expected):
        raise RuntimeError("its spikes are not the reference's")


def main(name: str, out: str) -> None:
    """Write a line of JSON for each way as soon as it is known: null, or the problem."""
    with open(out, "a") as file:
        for options in ways(backend_class(name)):
            problem = None
            try:
                five_steps(name, options)
            except Exception as exc:  # a simulator may fail in any way
                problem = one_line(exc) or type(exc).__name__
            print(json.dumps(problem), file=file, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
