"""Run networks in windows with resets, written weights and restored states."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from random_chip_networks import random_chip_network
from random_equation_networks import random_equation_network

from neurorl import load
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.testing import FEATURES, random_network, rasters

_WINDOWS = 4


def _run(make: Callable[[], Network], seed: int, **options: Any) -> dict[str, Any]:
    """Return spikes, states and weights of a network; of odd seeds two replicas."""
    network, rng = make(), np.random.default_rng(seed)
    seeds = [seed, seed + 1] if seed % 2 else seed
    spikes, computed = hashlib.sha256(), {}
    with load("reference", network, seed=seeds, **options) as backend:
        for window in range(_WINDOWS):
            n_steps = int(rng.integers(5, 30))
            drawn = [
                rasters(network, n_steps, 9 * seed + k + window, 0.4) for k in range(1 + seed % 2)
            ]
            inputs = {k: np.concatenate([d[k] for d in drawn], axis=-1) for k in drawn[0]}
            for name, raster in sorted(backend.step(inputs, n_steps).items()):
                spikes.update(name.encode() + np.packbits(raster).tobytes())
            changed = network.projections[int(rng.integers(len(network.projections)))].name
            before = backend.state()
            backend.set_weights(changed, backend.weights(changed) * rng.uniform(-0.5, 1.2))
            if window == 1:
                backend.reset()
            if window == 2:
                backend.restore(before)
        for projection in network.projections:
            computed[f"weights {projection.name}"] = backend.weights(projection.name)
    return {"spikes": np.frombuffer(spikes.digest(), dtype=np.uint8), **computed}


def _on_chip(make: Callable[[], Network], seed: int) -> dict[str, Any]:
    """Return what `_run` does in the chip's integers, or that the chip can't have the network."""
    try:
        return _run(make, seed, arithmetic="loihi")
    except UnsupportedError:
        return {"refused": np.array(True)}


NETWORKS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    **{
        f"network, {name}": partial(_run, make, k)
        for k, (name, make) in enumerate(FEATURES.items())
    },
    **{
        f"network on chip, {name}": partial(_on_chip, make, k)
        for k, (name, make) in enumerate(FEATURES.items())
    },
    **{
        f"random network {k}": partial(
            _run, partial(random_network, k, bool(k % 2), bool(k % 3 == 0)), k
        )
        for k in range(30)
    },
    **{
        f"random network on chip {k}": partial(
            _on_chip, partial(random_network, k, bool(k % 2), bool(k % 3 == 0)), k
        )
        for k in range(30, 50)
    },
    **{
        f"random equations {k}": partial(_run, partial(random_equation_network, k), k)
        for k in range(40)
    },
    **{
        f"random equations on chip {k}": partial(_on_chip, partial(random_chip_network, k), k)
        for k in range(20)
    },
    **{
        f"noise {noise!r} of a chip, {k}": partial(
            _run, FEATURES["stochastic GLM unit"], k, arithmetic="loihi", noise=noise
        )
        for k in (60, 61)
        for noise in ("chip", "chip+coins")
    },
}
"""Map the names of the cases of networks to what computes them."""
