"""Turn a backend's arguments into the network that a simulator runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.arithmetic.chip_noise import with_coin_sources
from neurorl.arithmetic.rounding import find_arithmetic, make_arithmetic
from neurorl.backends.checks import check_arithmetic, check_noise, check_record, check_seeds
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.network.on_chip import on_chip


def prepare(
    simulator: Simulator,
    network: Network,
    seed: int | Sequence[int],
    arithmetic: str | None,
    record: Sequence[str] | None,
    noise: str,
) -> SimulatedNetwork:
    """Return the network for *simulator* to build, without weights; arguments as in `Backend`.

    Raises UnsupportedError naming every part of the network that the simulator can't run.
    """
    seeds, name = check_seeds(seed), check_arithmetic(arithmetic, simulator.capabilities)
    check_noise(simulator.name, noise, name, simulator.capabilities)
    if find_arithmetic(name).is_chip:
        network = on_chip(network)
    with_coins, coins = with_coin_sources(network, noise)
    problems = simulator.refusals(with_coins, name)
    if problems:
        where = f"backend {simulator.name}"
        raise UnsupportedError(where, f"can't run {'; '.join(problems)}")
    return SimulatedNetwork(
        network,
        seeds,
        () if isinstance(seed, (int, np.integer)) else (len(seeds),),
        name,
        make_arithmetic(name, with_coins, noise),
        noise,
        check_record(record, network),
        coins,
    )
