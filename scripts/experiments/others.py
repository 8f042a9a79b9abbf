"""Write what presets reach without parts of their network, and what others have published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.any_task import CONTROLS, read
from experiments.catalogue import Published
from experiments.controls import lines_of_presets
from experiments.markup import table_head, table_row

_ABOUT_CONTROLS = """## What the network is worth

The same presets, seeds and episodes as the LIF presets' in float: with hidden units that don't
learn (*frozen*, `alpha_hidden=0`), without them (`hidden=0`; *faster*: with 10/3 times the rate
of the output), and by `neurorl.LinearActorCritic`, which has the same cells, critic's features,
discount and scale of rewards, but no neurons: a softmax of a weighted sum of cells, learned with
traces. Its rates are the same for all tasks (models/agent/linear.py): an `alpha_actor` of 0.3
and of 1 were tried, on seeds 100 and 101; 1 was better on MountainCar and worse on FrozenLake.
Mean (worst), seeds, of `results/tables/controls.csv`, which `python
scripts/experiments/controls.py measure --suites presets` makes."""
_ABOUT_OTHERS = """## Other spiking agents

Published agents, as their papers have them; tasks, budgets and seeds differ, and no row was made
anew here. Where a figure was read off a graph it says so."""

_OTHERS = (
    Published(
        "Frémaux, Sprekeler & Gerstner 2013: spiking actor-critic, local TD-LTP, continuous time",
        "water maze, acrobot and cart-pole",
        "[10.1371/journal.pcbi.1003024](https://doi.org/10.1371/journal.pcbi.1003024)",
    ),
    Published(
        "Bellec et al. 2020: reward-based e-prop, local in time, learned broadcast; 400 recurrent "
        "neurons and a spiking CNN",
        "Atari Pong, 5 runs, by its authors comparable to A3C",
        "[10.1038/s41467-020-17236-y](https://doi.org/10.1038/s41467-020-17236-y)",
    ),
    Published(
        "Haşegan et al. 2022: reward-modulated STDP beside evolution",
        "CartPole: STDP worse than evolution",
        "[10.3389/fncom.2022.1017284](https://doi.org/10.3389/fncom.2022.1017284)",
    ),
    Published(
        "Chevtchenko et al. 2023: local rule, TD error, features learned by clustering",
        "MountainCar, CartPole, Acrobot: better than a tabular actor-critic, below PPO",
        "[arXiv:2307.02947](https://arxiv.org/abs/2307.02947)",
    ),
    Published(
        "DSQN 2021/22: surrogate gradients and replay",
        '17 Atari games, by its authors "human-level"',
        "[arXiv:2201.07211](https://arxiv.org/abs/2201.07211)",
    ),
    Published(
        "PopSAN 2021, surrogate gradients; Proxy Target 2025",
        "MuJoCo; LIF above TD3 without spikes, up to +32 % (2025)",
        "[arXiv:2106.07854](https://arxiv.org/abs/2106.07854), "
        "[arXiv:2505.24161](https://arxiv.org/abs/2505.24161)",
    ),
    Published(
        "SpiNNaker2 SDQN 2025: surrogate gradients, 8 bits",
        "CartPole, Acrobot; up to 32 times less energy than a GTX 1650",
        "[arXiv:2507.23562](https://arxiv.org/abs/2507.23562)",
    ),
    Published(
        "Artificial Dopamine 2024, **not spiking**: TD errors of each layer, no backpropagation "
        "between layers, replay",
        "read off graphs: MinAtar at 5,000,000 steps, 10 seeds: Freeway 57, Breakout 28, Seaquest "
        "42, Asterix 22, SpaceInvaders 140 (DQN 56, 33, 48, 17, 220); at 1,000,000 LunarLander "
        "about 265, Acrobot about -70, MountainCar -110, CartPole 500",
        "[arXiv:2411.03604](https://arxiv.org/abs/2411.03604)",
    ),
    Published(
        "stream-x 2024, **not spiking**: one sample at a time, traces, backpropagation within a "
        "step, no replay",
        "MinAtar, Atari, MuJoCo",
        "[arXiv:2410.14606](https://arxiv.org/abs/2410.14606)",
    ),
)


def controls_section(results: Path, presets: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the section of controls. presets: greedy figures of their seeds, by environment."""
    rows = read(results / "tables" / CONTROLS.name)
    return [_ABOUT_CONTROLS, "", *lines_of_presets(rows, presets)] if rows else []


def others_section() -> list[str]:
    """Return the section of published spiking agents, and two that are near."""
    table = table_head(("what", "task and figure", "source"))
    return [_ABOUT_OTHERS, "", *table, *(table_row(p.what, p.figure, p.source) for p in _OTHERS)]
