"""Compare chip arithmetic on all backends, spike by spike: the CartPole network, weights changing.

Random input rasters for every window; after each, all weights are rewritten with other random
values. Reports the number of windows in which every raster and every state variable were equal to
the reference's, and the first difference if there is one. Exit status 1 on any difference.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.backends.registry import load
from neurorl.cli.status import exit_status
from neurorl.models.defaults.presets import make_config
from neurorl.storage.files import write_json
from neurorl.tasks.environments import discrete_actions, make_env
from neurorl.testing import rasters, same_state


@exit_status("chip_parity")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="lif")
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--backends", default="native,loihi")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write it as JSON")
    options = parser.parse_args(arguments)
    env = make_env(options.env)
    config = make_config(env, options.model)
    network = config.network(int(discrete_actions(env).n))
    reference = load("reference", network, arithmetic="loihi", seed=options.seed)
    others = {
        name: load(name, network, arithmetic="loihi", seed=options.seed)
        for name in options.backends.split(",")
    }
    rng = np.random.default_rng(options.seed)
    equal = dict.fromkeys(others, 0)
    first: dict[str, Any] = {}
    spikes = 0
    for window in range(options.windows):
        inputs = rasters(network, config.window, int(rng.integers(2**31)), rng.uniform(0.05, 0.8))
        expected, state = reference.step(inputs, config.window), reference.state()
        spikes += sum(int(raster.sum()) for raster in expected.values())
        for name, backend in others.items():
            recorded = backend.step(inputs, config.window)
            wrong = [p for p in expected if not np.array_equal(recorded[p], expected[p])]
            wrong += same_state(backend.state(), state)
            equal[name] += not wrong
            if wrong:
                first.setdefault(name, {"window": window, "differs": wrong})
        for projection in network.projections:
            weights = rng.uniform(-1, 1, network.weight_shape(projection.name))
            for backend in (reference, *others.values()):
                backend.set_weights(projection.name, weights)
    report = {
        "env": options.env,
        "model": options.model,
        "windows": options.windows,
        "steps": config.window * options.windows,
        "spikes": spikes,
        "equal_windows": equal,
        "first_difference": first,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.out, report)
    print(json.dumps(report) if options.json else json.dumps(report, indent=1))
    return 1 if first else 0


if __name__ == "__main__":
    raise SystemExit(main())
