"""Let callbacks follow runs: those that users name, evaluations, and what TensorBoard reads."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from neurorl.agents.base import LearningAgent
from neurorl.agents.budget import Budget
from neurorl.agents.callbacks import Callback, Listeners, listening
from neurorl.agents.evaluation import Evaluation
from neurorl.agents.group import Callback as AfterEpisode
from neurorl.agents.group import GroupPlan
from neurorl.agents.sharding import GroupsInTurn
from neurorl.errors import ArgumentError, NeurorlError, RunError, UnsupportedError
from neurorl.runs.config import RunConfig
from neurorl.runs.directory import RunDirectory
from neurorl.storage.files import as_csv
from neurorl.tasks.answers import raised_by
from neurorl.tasks.arguments import read_part
from neurorl.tasks.environments import first_line

EVALUATED = ("env_steps", "episodes", "mean_return", "std_return", "mean_discounted_return")
_EPISODES = 20  # of an evaluation by default


class EvaluationRows(Callback):
    """Write a row of ``evaluations.csv`` for each evaluation of a run.

    When the run goes on from a checkpoint, rows of later steps are removed; the same come again.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run, self._rows = run, list[list[str]]()

    def on_start(self) -> None:
        """Keep the rows up to where the agent is."""
        file, done = self._run.evaluations, self.agent.steps_taken
        lines = file.read_text("utf-8").splitlines()[1:] if file.exists() else []
        self._rows = [row for row in (line.split(",") for line in lines) if int(row[0]) <= done]
        self._write()

    def on_evaluation(self, steps: int, evaluation: Evaluation) -> None:
        """Add a row."""
        figures = (repr(value) for name, value in evaluation.items() if name in EVALUATED)
        self._rows.append([repr(steps), *figures])
        self._write()

    def _write(self) -> None:
        self._run.keep(self._run.evaluations, as_csv([EVALUATED, *self._rows]))


class RunListeners(Listeners):
    """Call the callbacks of a run; what the code of one raises is told in one line."""

    def _heed(self, method: Callable[..., object], *values: object) -> None:
        try:
            super()._heed(method, *values)
        except (NeurorlError, OSError):
            raise
        except Exception as exc:  # a user's code may raise anything
            raise RunError(f"callback {method.__qualname__}", "raised", got=raised_by(exc)) from exc


class FollowedAgents(GroupsInTurn):
    """Train the agents of runs with callbacks, each in a group alone, so that theirs end it alone.

    Raises NeurorlError for what isn't a callback, can't be made, or needs what isn't installed.
    """

    def __init__(self, plan: GroupPlan, config: RunConfig, runs: Sequence[RunDirectory]) -> None:
        algorithm = config.algorithm
        if algorithm.agent is None:
            what, remedy = "names no agent that callbacks could see", "Algorithm(..., agent=)"
            raise UnsupportedError(f"approach {algorithm.name!r}", what, remedy=remedy)
        self._callbacks = [_callbacks_of(config, run, len(runs) == 1) for run in runs]
        kind: type[LearningAgent] = algorithm.load(algorithm.agent)
        options = config.backend_options if algorithm.backend is None else {}
        groups, self._agents = [], list[LearningAgent]()
        for env, seed in zip(plan.envs(len(runs)).envs, plan.seeds, strict=True):
            groups.append(replace(plan, env=env, seeds=[seed]).make(algorithm))
            self._agents.append(kind.of_group(groups[-1], env, config.env, options))
        super().__init__(groups)

    def play(self, budget: Budget, callback: AfterEpisode | None = None) -> Iterator[int]:
        """Do as `AgentGroup.play`; *callback* hears of an episode before others do."""
        with ExitStack() as ends:
            running = []
            for k, (agent, callbacks) in enumerate(zip(self._agents, self._callbacks, strict=True)):
                own = listening(callback and partial(callback, k))
                steps = agent.steps(RunListeners((*own, *callbacks), agent, budget))
                running.append(ends.enter_context(closing(steps)))
            while running := [steps for steps in running if next(steps, self) is not self]:
                yield len(running)


def _callbacks_of(config: RunConfig, run: RunDirectory, is_alone: bool) -> tuple[Callback, ...]:
    """Make the callbacks of a run. *is_alone*: whether no other run has the same ones."""
    library, made = importlib.import_module("neurorl.callbacks"), list[object]()
    if config.eval_every is not None:
        episodes = config.eval_episodes or _EPISODES
        evaluates = library.EvaluateEvery(config.eval_every, episodes, best=run.best)
        made += [EvaluationRows(run), evaluates]
    if config.tensorboard is not None:
        made.append(library.TensorBoard(Path(config.tensorboard) / run.path.name))
    made += [_named(text, is_alone) for text in config.callbacks]
    return listening(made)  # type: ignore[arg-type]  # it refuses what is none


def _named(text: str, is_alone: bool) -> object:
    """Return what ``MODULE:NAME`` is, or what its class or function makes of arguments."""
    where, found, arguments = read_part(text, "callback", "--callback")
    if found is None:
        raise ArgumentError(where, "is not in its module")
    try:
        if isinstance(found, type) or (arguments and callable(found)):
            return found(**arguments)
        return found if is_alone or not isinstance(found, Callback) else copy.deepcopy(found)
    except NeurorlError:
        raise
    except Exception as exc:  # a user's code may raise anything
        raise UnsupportedError(where, "can't be made", got=first_line(exc)) from exc
