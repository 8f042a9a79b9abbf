"""Let callbacks follow runs: those that users name, evaluations, and what TensorBoard reads."""

from __future__ import annotations

import copy
import csv
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from neurorl.agents.base import LearningAgent
from neurorl.agents.callbacks import Callback, Listeners, listening
from neurorl.agents.group import AgentGroup
from neurorl.errors import ArgumentError, NeurorlError, RunError, UnsupportedError
from neurorl.runs.config import RunConfig
from neurorl.runs.directory import RunDirectory
from neurorl.runs.evaluation import Evaluation
from neurorl.storage.files import as_csv
from neurorl.storage.reading import FilePlace, read_lines
from neurorl.tasks.answers import raised_by
from neurorl.tasks.arguments import CALLBACK, split_place
from neurorl.tasks.environments import first_line
from neurorl.tasks.kinds import Environment

EVALUATED = ("env_steps", "episodes", "mean_return", "std_return", "mean_discounted_return")
_LARGEST, _LONGEST = 2**26, 1000


class EvaluationRows(Callback):
    """Write a row of ``evaluations.csv`` for each evaluation of a run.

    When the run goes on from a checkpoint, rows of later steps are removed; the same come again.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._rows: list[list[str]] = []

    def on_start(self) -> None:
        """Keep the rows up to where the agent is. Raises RunError for a damaged file."""
        file = self._run.evaluations
        place = FilePlace(f"run {self._run.path}", file.name)
        lines = read_lines(file, _LARGEST, _LONGEST, place) if file.exists() else iter(())
        try:
            rows = list(csv.reader(lines))[1:]
            self._rows = [row for row in rows if int(row[0]) <= self.agent.steps_taken]
        except (csv.Error, LookupError, ValueError) as exc:
            raise place.wrong("is damaged", exc) from exc
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


def callbacks_of(config: RunConfig, run: RunDirectory, is_alone: bool) -> tuple[Callback, ...]:
    """Make the callbacks of a run. *is_alone*: whether no other has the same ones.

    Raises NeurorlError for what isn't a callback, can't be made, or needs what isn't installed.
    """
    made: list[object] = []
    if config.eval_every is not None:
        options = {"episodes": config.eval_episodes, "best": run.best}
        of = _library("EvaluateEvery")(config.eval_every, **options)
        made += [EvaluationRows(run), of]
    if config.tensorboard is not None:
        made.append(_library("TensorBoard")(Path(config.tensorboard) / run.path.name))
    made += [_named(text, is_alone) for text in config.callbacks]
    return listening(made)  # type: ignore[arg-type]  # it refuses what is none


def agent_of(group: AgentGroup, env: Environment, config: RunConfig) -> LearningAgent:
    """Return the agent of a *group* of one for callbacks. Raises UnsupportedError."""
    algorithm = config.algorithm
    if algorithm.agent is None:
        what, remedy = "names no agent that callbacks could see", "Algorithm(..., agent=)"
        raise UnsupportedError(f"approach {algorithm.name!r}", what, remedy=remedy)
    kind: type[LearningAgent] = algorithm.load(algorithm.agent)
    options = config.backend_options if algorithm.backend is None else {}
    return kind.of_group(group, env, config.env, options)


def _library(name: str) -> Callable[..., Callback]:
    """Return a class of `neurorl.callbacks`, which stands above runs."""
    kind: Callable[..., Callback] = getattr(importlib.import_module("neurorl.callbacks"), name)
    return kind


def _named(text: str, is_alone: bool) -> object:
    """Return what ``MODULE:NAME`` is, or what its class or function makes of arguments."""
    place, arguments = split_place(text, CALLBACK)
    module, _, name = place.partition(":")
    where = f"callback {place}"
    if module not in sys.modules:
        remedy = f"import {module} first, or name it by --callback"
        raise ArgumentError(where, "is of no module that is imported", remedy=remedy)
    if not hasattr(sys.modules[module], name):
        raise ArgumentError(where, "is not in its module")
    found: object = getattr(sys.modules[module], name)
    try:
        if isinstance(found, type) or (arguments and callable(found)):
            return found(**arguments)
        return found if is_alone or not isinstance(found, Callback) else copy.deepcopy(found)
    except NeurorlError:
        raise
    except Exception as exc:  # a user's code may raise anything
        raise UnsupportedError(where, "can't be made", got=first_line(exc)) from exc
