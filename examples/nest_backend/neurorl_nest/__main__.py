"""Run a saved network in processes of NEST, and count its spikes.

    python -m neurorl_nest NETWORK --steps 1000 [--processes 4] [--threads 1] [--seed 0]
        [--rate SOURCE=HZ ...] [--window 100] [--checkpoint DIR] [--resume]

NETWORK is a file of `neurorl.network.restoring.save_network`. Sources spike by chance, at a rate.
With --checkpoint the state is written after each window; --resume goes on from it, with any number
of processes, up to --steps in all. Prints spikes for each neuron and second, by population.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neurorl import Poisson
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status
from neurorl.errors import ArgumentError
from neurorl.network.restoring import load_network
from neurorl_nest.distributed import Distributed


def _rates(said: list[str]) -> dict[str, Poisson]:
    """Return the input of each source that was named with a rate."""
    rates = {}
    for text in said:
        name, _, hertz = text.partition("=")
        try:
            rates[name] = Poisson(float(hertz))
        except ValueError:
            what, limit = "is no rate", "SOURCE=HZ"
            raise ArgumentError("--rate", what, got=text, limit=limit) from None
    return rates


@exit_status("neurorl_nest")
def main(arguments: list[str] | None = None) -> int:
    """Run the network; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="neurorl_nest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("--steps", type=int, required=True, metavar="N", help="in all")
    for name, default in (("processes", 1), ("threads", 1), ("seed", 0), ("window", 100)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    parser.add_argument("--rate", action="append", default=[], metavar="SOURCE=HZ")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    options = parser.parse_args(arguments)
    network, rates = load_network(options.network), _rates(options.rate)
    if options.resume and options.checkpoint is None:
        raise ArgumentError("--resume", "goes on from a checkpoint", remedy="--checkpoint DIR")
    counts = {p.name: 0 for p in network.populations}
    told = {"processes": options.processes, "threads": options.threads, "seed": options.seed}
    with Distributed(network, **told) as runs:
        if options.resume:
            runs.restore(options.checkpoint)
        begun = done = int(runs.time())
        while done < options.steps:
            n_steps = min(options.window, options.steps - done)
            for name, raster in runs.window(rates, n_steps).items():
                counts[name] += int(raster.sum())
            done += n_steps
            if options.checkpoint is not None:
                runs.save(options.checkpoint)
    seconds = max(done - begun, 1) * network.dt
    rows = [
        [p.name, str(p.size), str(counts[p.name]), f"{counts[p.name] / p.size / seconds:.3g}"]
        for p in network.populations
    ]
    print_table(("population", "neurons", "spikes", "Hz"), rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
