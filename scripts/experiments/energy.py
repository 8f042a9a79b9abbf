"""Measure what decisions cost on Loihi by SANA-FE, of pretrained and of deep agents.

Beside stand the multiply-accumulates of the policy that Stable-Baselines3's PPO learns by default,
at published energies of an operation. Of every agent the spikes and synaptic operations that
SANA-FE counts are compared with ours, as another backend of the same integers counts them. Needs
sanafe, and minatar for two of the deep agents.
"""

from __future__ import annotations

import csv
import importlib.util
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium import Env
from gymnasium.spaces import Discrete, Space

from experiments.held_out_tasks import minatar
from experiments.markup import table_head, table_row
from experiments.smaller import Smaller
from experiments.tables import read_table, write_table
from neurorl import SpikingActorCritic, evaluate
from neurorl.agents.base import LearningAgent
from neurorl.agents.evaluation import Evaluation
from neurorl.cli.output import show
from neurorl.errors import RunError, UnsupportedError
from neurorl.network.cost import SYNOP_J, loihi_energy
from neurorl.storage.zoo import PREFIX, ZooAgent, agents
from neurorl.tasks.kinds import Environment

SEED = 1
EPISODES: Mapping[str, int] = {
    "CartPole-v1": 1,
    **dict.fromkeys(("neurorl/GridWorld-v0", "FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"), 10),
    "neurorl/Bandit-v0": 100,
}
"""Map tasks to how many episodes are measured, 200 decisions or more; of others, 2."""

DEEP: Mapping[str, tuple[str | Callable[[], Env], int]] = {
    "deep: CartPole-v1": ("CartPole-v1", 100_000),
    "deep: Acrobot-v1": ("Acrobot-v1", 100_000),
    "deep: MinAtar Breakout": (minatar("Breakout"), 200_000),
    "deep: MinAtar SpaceInvaders": (minatar("SpaceInvaders"), 200_000),
}
"""Map agents with hidden layers that learn to their tasks, and steps of training (seed 0)."""

PRESETS = tuple(
    f"{task}-{kind}"
    for task in ("gridworld", "cartpole", "mountaincar")
    for kind in ("lif", "lif-chip", "glm")
)

MULTIPLY_PJ, ADD_PJ, WORD_PJ = 3.7, 0.9, 10.0
"""Set the energies of float32 operations, and of half of 64 bits out of a cache of 32 KB.

Source: Horowitz 2014, ISSCC, doi:10.1109/ISSCC.2014.6757323, figure 1.1.9 (45 nm, 0.9 V).
"""
LAYERS = (64, 64)
"""Set the hidden units of Stable-Baselines3's MlpPolicy."""

_BASELINES = Path(__file__).parents[2] / "results" / "tables" / "baselines.csv"
_OF_BASELINES = {"CartPole-v1": "CartPole", "MountainCar-v0": "MountainCar"} | {
    "neurorl/Bandit-v0": "bandit",
    "FrozenLake-v1": "FrozenLake-v1, slippery",
}


@dataclass(frozen=True)
class Measured:
    """Hold what one agent costs; refused: why it can't be measured, and then there are no figures.

    policy: layers of PPO's, such as 4-64-64-2. mean_return: of these episodes, discounted on the
    gridworld. spikes, synops: by SANA-FE, in all decisions; ours: our own synops, on native. The
    rest as in `neurorl.backends.meter`.
    """

    agent: str
    task: str
    policy: str
    episodes: int
    mean_return: float | None
    decisions: int | None
    cores: int | None
    input_cores: int | None
    spikes: int | None
    synops: int | None
    ours: int | None
    energy_nj: float | None
    synapse_nj: float | None
    soma_nj: float | None
    network_nj: float | None
    constants_nj: float | None
    latency_us: float | None
    episode_nj: float | None
    episode_us: float | None
    refused: str


def measured(name: str, task: str, agent: LearningAgent, episodes: int) -> Measured:
    """Measure one agent. Raises nothing that `Measured.refused` can say."""
    policy = policy_of(agent.env)
    try:
        played = evaluate(agent, episodes, seed=SEED, energy=True)
        other = evaluate(agent, episodes, seed=SEED, backend="native", arithmetic="loihi")
    except UnsupportedError as exc:
        return Measured(name, task, policy, episodes, *(None,) * 15, str(exc))
    energy = played["energy"]
    is_discounted = task == "neurorl/GridWorld-v0"
    return Measured(
        agent=name,
        task=task,
        policy=policy,
        episodes=episodes,
        mean_return=played["mean_discounted_return" if is_discounted else "mean_return"],
        decisions=energy["decisions"],
        cores=energy["cores"],
        input_cores=energy["input_cores"],
        spikes=energy["spikes"],
        synops=energy["synops"],
        ours=_on_chip(other, energy["decisions"]),
        energy_nj=_digits(energy["energy_per_decision_nj"]),
        synapse_nj=_digits(energy["synapse_nj"]),
        soma_nj=_digits(energy["soma_nj"]),
        network_nj=_digits(energy["network_nj"]),
        constants_nj=_digits(energy["by_constants_nj"]),
        latency_us=_digits(energy["latency_per_decision_us"], 3),
        episode_nj=_digits(energy["energy_per_episode_nj"]),
        episode_us=_digits(energy["latency_per_episode_us"], 3),
        refused="",
    )


def _on_chip(played: Evaluation, decisions: int) -> int:
    """Return the operations of an evaluation without those of currents, which the host adds."""
    updates = loihi_energy(0.0, played["neuron_updates_per_decision"])
    return round((played["energy_per_decision_j"] - updates) / SYNOP_J * decisions)


def _cell(number: float | None) -> str:
    """Return three digits, or all before the point."""
    assert number is not None
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _digits(number: float, n: int = 5) -> float:
    return float(f"{number:.{n}g}")


def _pretrained(one: ZooAgent) -> Measured:
    agent = SpikingActorCritic.load(f"{PREFIX}{one.name}", backend="reference", learning="host")
    return measured(f"{PREFIX}{one.name}", one.env, agent, EPISODES.get(one.env, 2))


def _deep(name: str, steps: int) -> Measured:
    task, _ = DEEP[name]
    agent = SpikingActorCritic(task if isinstance(task, str) else task(), "deep", seed=0)
    agent.learn(total_steps=steps)
    return measured(name, name.removeprefix("deep: "), agent, 2)


def _measure(results: Path, is_quick: bool) -> list[Path]:
    for package in ("sanafe", *["minatar"] * (not is_quick)):
        if importlib.util.find_spec(package) is None:
            raise RunError("table energy", f"needs {package}", remedy=f"pip install {package}")
    chosen = [agents()[name] for name in ("gridworld-lif", "bandit-default")]
    every = chosen if is_quick else list(agents().values())
    deep = dict.fromkeys([*DEEP][:1], 200) if is_quick else {x: n for x, (_, n) in DEEP.items()}
    rows = []
    for row in (*map(_pretrained, every), *(_deep(name, n) for name, n in deep.items())):
        show(f"{row.agent}: {row.refused or f'{row.spikes} spikes, {row.energy_nj} nJ a decision'}")
        rows.append(row)
    return [write_table(results / "energy.csv", rows)]


def _size(space: Space[Any]) -> int:
    """Return how many numbers a policy takes of an observation, or gives for an action."""
    return int(space.n) if isinstance(space, Discrete) else math.prod(space.shape or ())


def policy_of(env: Environment) -> str:
    """Return the layers of PPO's policy; an observation that is a number of a state is one-hot.

    The critic isn't needed for a decision.
    """
    return "-".join(map(str, (_size(env.observation_space), *LAYERS, _size(env.action_space))))


def macs_of(policy: str) -> int:
    """Return the multiply-accumulates of a decision. policy: as `policy_of` returns."""
    return sum(a * b for a, b in itertools.pairwise(map(int, policy.split("-"))))


def _ppo(task: str) -> str:
    """Return the mean return of PPO after as many steps, if it was measured here."""
    name = _OF_BASELINES.get(task, task)
    with _BASELINES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["learner"] == "PPO"]
    returns = [float(row["mean_return"]) for row in rows if row["task"] == name]
    return f"{sum(returns) / len(returns):.4g}" if returns else ""


def _chip_lines(rows: list[Measured]) -> list[str]:
    columns = ("agent", "return", "cores, and for inputs", "nJ a decision", "of synapses", "somas")
    more = ("network", "by constants", "us a decision", "uJ an episode", "ms an episode")
    lines = table_head((*columns, *more))
    for row in rows:
        if row.refused:
            lines.append(table_row(f"`{row.agent}`", row.refused, *[""] * 9))
            continue
        assert row.episode_nj is not None
        assert row.episode_us is not None
        an_episode = map(_cell, (row.episode_nj / 1e3, row.episode_us / 1e3))
        numbers = (row.energy_nj, row.synapse_nj, row.soma_nj, row.network_nj, row.constants_nj)
        cells = (f"`{row.agent}`", f"{row.mean_return:.4g}", f"{row.cores}, {row.input_cores}")
        shown = map(_cell, (*numbers, row.latency_us))
        lines.append(table_row(*cells, *shown, *an_episode))
    return lines


def _policy_lines(rows: list[Measured]) -> list[str]:
    columns = ("task", "PPO's policy", "return", "MACs", "nJ of arithmetic", "and of weights")
    lines = table_head((*columns, "spiking agent", "return", "nJ"))
    for row in rows:
        if row.refused or row.agent.startswith("deep: MinAtar"):
            continue
        macs = macs_of(row.policy)
        arithmetic = macs * (MULTIPLY_PJ + ADD_PJ) / 1e3
        weights = macs * WORD_PJ / 1e3
        cells = (row.task, row.policy, _ppo(row.task), f"{macs:,}")
        own = (f"`{row.agent}`", f"{row.mean_return:.4g}", _cell(row.energy_nj))
        lines.append(table_row(*cells, _cell(arithmetic), _cell(arithmetic + weights), *own))
    return lines


def _equal_lines(rows: list[Measured]) -> list[str]:
    fit = [row for row in rows if not row.refused]
    equal = [row for row in fit if row.synops == row.ours]
    spikes, synops = (sum(getattr(row, x) or 0 for row in fit) for x in ("spikes", "synops"))
    decisions = sum(row.decisions or 0 for row in fit)
    lines = [
        f"{len(equal)} of {len(fit)} agents equal, in {decisions:,} decisions:"
        f" {spikes:,} spikes, {synops:,} synaptic operations."
    ]
    refused = [row.agent for row in rows if row.refused]
    return lines + [f"Refused: {', '.join(refused)}."] * bool(refused)


def _lines(results: Path) -> dict[str, list[str]]:
    rows: list[Measured] = read_table(results / "energy.csv", Measured)
    presets = {f"{PREFIX}{name}" for name in PRESETS}
    shown = [r for r in rows if r.agent in presets or not r.agent.startswith(PREFIX)]
    shown += [r for r in rows if r.agent.endswith("-default")]
    one_each = [r for r in shown if not r.agent.endswith("-chip")]
    return {
        "energy": _chip_lines(shown),
        "energy-policies": _policy_lines(one_each),
        "energy-equal": _equal_lines(rows),
    }


ENERGY = {"energy": Smaller("energy.md", _measure, _lines)}
