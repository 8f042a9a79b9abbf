"""Define what is run: tasks, experiments and the figures of others beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.grids import RULE_GRIDS
from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.spec import BackendSpec
from neurorl.errors import unknown_name_error

SEEDS = tuple(range(20))
ARITHMETIC = {name: cls.title for name, cls in ARITHMETICS.items()}
"""Map each arithmetic to its name on the pages."""


@dataclass(frozen=True)
class Published:
    """Hold a figure of somebody else; source: where it stands, or who measured it."""

    what: str
    figure: str
    source: str


@dataclass(frozen=True)
class Task:
    """Describe a task and how its figures are read.

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
    """Describe one network, rule and backend on one task; overrides: of `AgentConfig`.

    is_default: it is the preset, with nothing overridden. evaluation_episodes: if not the task's.
    """

    name: str
    label: str
    rule: str
    task: Task
    model: str
    spec: BackendSpec
    episodes: int
    overrides: dict[str, Any] = field(default_factory=dict)
    evaluation_episodes: int | None = None

    @property
    def backend(self) -> str:
        """Return the backend that it trains on."""
        return self.spec.backend

    @property
    def arithmetic(self) -> str:
        """Return the arithmetic that it trains in."""
        return self.spec.chosen_arithmetic

    @property
    def variant(self) -> str:
        """Return the name that it shares with the experiments on other tasks."""
        return self.name.removeprefix(f"{self.task.name}-")

    @property
    def is_default(self) -> bool:
        return not self.overrides


@dataclass(frozen=True)
class Check:
    """Ask another backend to play the same episodes, on an experiment's first seed."""

    experiment: Experiment
    backend: str = "loihi"

    @property
    def name(self) -> str:
        return f"{self.experiment.name}-on-{self.backend}"


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
        Published(
            "optimum",
            "1.1207",
            "exact, value iteration: `neurorl.tasks.environments.optimal_return`",
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

POSITION_ONLY = Task(
    name="positioncart",
    env="neurorl/PositionOnlyCartPole-v0",
    discounted=False,
    digits=1,
    threshold=475.0,
    floor=450.0,
    zero=0.0,
    one=500.0,
    scale=CARTPOLE.scale,
)
"""Compare networks with a memory with some without; it isn't one of `TASKS`."""
TASKS = (GRIDWORLD, CARTPOLE, MOUNTAINCAR)
BANDIT = Task(
    name="bandit",
    env="neurorl/Bandit-v0",
    discounted=False,
    digits=3,
    threshold=0.8,
    floor=0.85,
    zero=0.3,
    one=0.9,
    scale="0 is 0.3, of even choices, 1 the optimum, 0.9",
    evaluation_episodes=1000,
)
"""Compare rules on the chip; it isn't one of `TASKS`."""

_DEFAULT_RULES = {
    "lif": "spikes-only",
    "lif-spiking-critic": "spikes-only",
    "glm": "centred-feedback",
}
_LABELS = {"lif": "LIF", "lif-spiking-critic": "LIF, spiking critic", "glm": "GLM"}
_CRITIC_EPISODES = {"cartpole": 250}
_EPISODES = {"gridworld": (600, 600), "cartpole": (250, 250), "mountaincar": (1000, 1200)}


def _defaults(task: Task) -> tuple[Experiment, ...]:
    """Return the presets of a task."""
    lif, glm = _EPISODES[task.name]
    networks: tuple[tuple[str, str, str, int], ...] = (
        ("lif", "lif", "float", lif),
        ("lif-chip", "lif", "loihi", lif),
        ("glm", "glm", "float", glm),
    )
    if task.name in _CRITIC_EPISODES:
        model, episodes = "lif-spiking-critic", _CRITIC_EPISODES[task.name]
        networks += ((model, model, "float", episodes), (f"{model}-chip", model, "loihi", episodes))
    return tuple(
        Experiment(
            name=f"{task.name}-{variant}",
            label=_LABELS[model],
            rule=_DEFAULT_RULES[model],
            task=task,
            model=model,
            spec=BackendSpec("native", arithmetic),
            episodes=episodes,
        )
        for variant, model, arithmetic, episodes in networks
    )


def _other_rules(task: Task) -> tuple[Experiment, ...]:
    """Return the presets with another rule, at the rates that its grid found."""
    return tuple(
        Experiment(
            name=grid.name,
            label=grid.model.upper(),
            rule=grid.rule,
            task=task,
            model=grid.model,
            spec=BackendSpec("native", grid.arithmetic),
            episodes=grid.reported_episodes,
            overrides={"rule": grid.rule, **grid.settings[grid.chosen]},
            evaluation_episodes=100,
        )
        for grid in RULE_GRIDS
        if grid.task == task.name
    )


EXPERIMENTS = tuple(
    experiment for task in TASKS for experiment in (*_defaults(task), *_other_rules(task))
)
CHECKS = tuple(Check(e) for e in EXPERIMENTS if e.spec.is_chip)


def chosen(names: Sequence[str] | None) -> tuple[Experiment, ...]:
    """Return the experiments of these names, tasks or variants; None: all."""
    if names is None:
        return EXPERIMENTS
    known = {key for e in EXPERIMENTS for key in _keys(e)}
    for name in names:
        if name not in known:
            raise unknown_name_error("experiment", name, known)
    return tuple(e for e in EXPERIMENTS if _keys(e) & set(names))


def _keys(experiment: Experiment) -> set[str]:
    return {experiment.name, experiment.task.name, experiment.variant}
