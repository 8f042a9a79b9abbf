"""What is run: tasks, experiments and the figures of others beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from neurorl.errors import unknown

__all__ = [
    "CHECKS",
    "EXPERIMENTS",
    "SEEDS",
    "TASKS",
    "Check",
    "Experiment",
    "Published",
    "Task",
    "chosen",
]

SEEDS = tuple(range(20))


@dataclass(frozen=True)
class Published:
    """A figure of somebody else; source: where it stands, or who measured it."""

    what: str
    figure: str
    source: str


@dataclass(frozen=True)
class Task:
    """A task and how its figures are read.

    discounted: the figure is the mean discounted return, else the mean return. threshold: mean of
    100 training episodes that counts as learned. floor: a seed whose greedy figure is below is a
    failure. zero, one: figures that get the normalised scores 0 and 1, as *scale* says in words.
    evaluation_episodes: so many that chance is small beside the difference of floor and mean.
    """

    name: str
    env: str
    discounted: bool
    digits: int
    threshold: float
    floor: float
    zero: float
    one: float
    scale: str
    evaluation_episodes: int = 100
    published: tuple[Published, ...] = ()

    @property
    def figure(self) -> str:
        return "discounted return" if self.discounted else "return"


@dataclass(frozen=True)
class Experiment:
    """One network in one arithmetic on one task; overrides: fields of `AgentConfig`."""

    name: str
    label: str
    task: Task
    model: str
    arithmetic: str
    episodes: int
    backend: str = "brian2"
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """What it shares with the experiments on other tasks."""
        return self.name.removeprefix(f"{self.task.name}-")


@dataclass(frozen=True)
class Check:
    """That another backend, on an experiment's first seed, plays the same episodes."""

    experiment: Experiment
    backend: str = "loihi"

    @property
    def name(self) -> str:
        return f"{self.experiment.name}-on-{self.backend}"


_OURS = "measured by us, not part of this repository"
_ZOO = (
    "[rl-baselines3-zoo, benchmark.md]"
    "(https://github.com/DLR-RM/rl-baselines3-zoo/blob/master/benchmark.md), one run"
)

GRIDWORLD = Task(
    name="gridworld",
    env="neurorl/GridWorld-v0",
    discounted=True,
    digits=3,
    threshold=1.0,
    floor=1.05,
    zero=0.0,
    one=1.1207,
    scale="0 is 0, 1 the optimum, 1.1207",
    evaluation_episodes=1000,
    published=(
        Published("optimum", "1.1207", "exact, value iteration: `neurorl.envs.optimal_return`"),
        Published("tabular Q-learning, 1,000 episodes", "1.08", _OURS),
        Published(
            "the papers' own code (github.com/asneha213/spiking-agent-RL) after its training",
            "0.65",
            f"{_OURS}; one seed, last 100 of 400 episodes",
        ),
    ),
)
CARTPOLE = Task(
    name="cartpole",
    env="CartPole-v1",
    discounted=False,
    digits=1,
    threshold=475.0,
    floor=499.0,
    zero=0.0,
    one=500.0,
    scale="0 is 0, 1 the most there is, 500",
    published=(
        Published(
            "Chung & Kozma 2020, LIF with TD error and feedback; episodes until 100 in a row "
            "return 500, mean of 10 runs",
            "169.5 episodes",
            "[arXiv:2008.13044](https://arxiv.org/abs/2008.13044)",
        ),
        Published(
            "the papers' own code (github.com/asneha213/spiking-agent-RL), on CartPole-v0, "
            "where 200 is the most",
            "about 120",
            f"{_OURS}; one seed",
        ),
    ),
)
MOUNTAINCAR = Task(
    name="mountaincar",
    env="MountainCar-v0",
    discounted=False,
    digits=1,
    threshold=-110.0,
    floor=-103.0,
    zero=-200.0,
    one=-100.8,
    scale="0 is the limit of 200 steps, 1 DQN's -100.8",
    published=(
        Published("DQN (Stable-Baselines3), 120,000 steps", "-100.8", _ZOO),
        Published("PPO (Stable-Baselines3), 1,000,000 steps", "-110.4", _ZOO),
    ),
)

TASKS = (GRIDWORLD, CARTPOLE, MOUNTAINCAR)
_EPISODES = {"gridworld": (600, 1000), "cartpole": (250, 250), "mountaincar": (600, 600)}


def _of(task: Task) -> tuple[Experiment, ...]:
    lif, glm = _EPISODES[task.name]
    return (
        Experiment(f"{task.name}-lif", "LIF", task, "lif", "float", lif),
        Experiment(f"{task.name}-lif-chip", "LIF", task, "lif", "loihi", lif),
        Experiment(f"{task.name}-glm", "GLM", task, "glm", "float", glm),
    )


EXPERIMENTS = tuple(experiment for task in TASKS for experiment in _of(task))
CHECKS = tuple(Check(e) for e in EXPERIMENTS if e.arithmetic == "loihi")


def chosen(names: Sequence[str] | None) -> tuple[Experiment, ...]:
    """The experiments of these names, or of tasks of these names; None: all."""
    if names is None:
        return EXPERIMENTS
    known = {e.name for e in EXPERIMENTS} | {task.name for task in TASKS}
    for name in names:
        if name not in known:
            raise unknown("experiment", name, known)
    return tuple(e for e in EXPERIMENTS if {e.name, e.task.name} & set(names))
