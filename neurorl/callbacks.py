"""Follow training: evaluate, keep checkpoints, stop, and write figures to files and services.

agent.learn(total_steps=100_000, callback=[EvaluateEvery(5_000), CsvFile("progress.csv")])
"""

from __future__ import annotations

import abc
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from neurorl.agents.arguments import check_callable, check_kind, path_of
from neurorl.agents.base import LearningAgent
from neurorl.agents.callbacks import AgentInTraining, Callback, Progress
from neurorl.agents.checkpoint import read_agent
from neurorl.agents.episodes import Episode
from neurorl.agents.evaluation import Evaluation, evaluate
from neurorl.errors import ArgumentError, quoted
from neurorl.storage.files import as_csv, as_json, import_extra, make_folder, write_bytes, writing
from neurorl.storage.plain import check_count, plain
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.specification import copy_env

__all__ = [
    "AgentInTraining",
    "Callback",
    "CheckpointEvery",
    "CsvFile",
    "EvaluateEvery",
    "LogTo",
    "Progress",
    "StopAt",
    "TensorBoard",
]


Log = Callable[[Mapping[str, float], int], Any]
"""Take named figures, and the number of environment steps at which they were measured."""


def _mean(where: str, value: object) -> float:
    """Return *value* as a mean return, which may be infinite. Raises ArgumentError."""
    value = plain(where, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or np.isnan(value):
        raise ArgumentError(where, "is no number", got=quoted(value))
    return float(value)


class _Every(Callback, abc.ABC):
    """Act each time that so many environment steps have been learned from."""

    def __init__(self, steps: int) -> None:
        self.steps = check_count(f"{type(self).__name__}, steps", steps)

    def on_start(self) -> None:
        """Compute the step of the first action."""
        self._next = (self.agent.steps_taken // self.steps + 1) * self.steps

    def on_step(self, steps: int) -> bool | None:
        if steps < self._next:
            return None
        self._next = (steps // self.steps + 1) * self.steps
        return self._act(steps)

    @abc.abstractmethod
    def _act(self, steps: int) -> bool | None:
        """Do what is due."""


class EvaluateEvery(_Every):
    """Play the agent greedily every so many *steps*, and keep the best one.

    episodes: how many to play each time. best: a file, replaced whenever the mean return is the
    highest so far; None keeps none. If the file exists and holds an agent of the same training, as
    when training is resumed in another process, that agent is the one to beat. It is evaluated once
    at the start; callbacks are not told. Any other agent is replaced at the first evaluation.
    stop_at: mean return at which training ends. env: the environment to play; None makes a copy of
    the agent's. seed: seed of noise and environment, the same each time.

    A file that isn't an agent's is never replaced: `on_start` raises RunError.

    evaluations: steps and result of `neurorl.evaluate` for each time so far. best_return: the
    highest mean return. `on_evaluation` of all callbacks is called each time.
    """

    def __init__(
        self,
        steps: int,
        episodes: int = 20,
        *,
        best: str | Path | None = None,
        stop_at: float | None = None,
        env: str | Environment | Maker | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(steps)
        self.episodes = check_count("EvaluateEvery, episodes", episodes)
        self.best = None if best is None else path_of(best, "EvaluateEvery, best")
        self.stop_at = None if stop_at is None else _mean("EvaluateEvery, stop_at", stop_at)
        self.env, self.seed = env, check_count("EvaluateEvery, seed", seed, 0)
        self.evaluations: list[tuple[int, Evaluation]] = []
        self.best_return = -np.inf

    def on_start(self) -> None:
        """Compute the step of the first evaluation, and the return of the best agent so far."""
        super().on_start()
        if self.best is not None and not self.evaluations and os.path.lexists(self.best):
            self.best_return = self._kept_return(self.best)

    def _kept_return(self, path: Path) -> float:
        """Return the mean return of the kept agent; -inf if it isn't of this training."""
        described, _ = read_agent(path)
        agent = cast(LearningAgent, self.agent)
        if as_json(described.to_dict()) != as_json(agent.describe()):
            return -np.inf
        with self._played() as env:
            kept = type(agent).load(path, env=env)
            both = zip(kept.episodes, agent.episodes, strict=False)  # up to the shorter one
            is_same = all(one == other for one, other in both)
            return self._evaluated(kept, env)["mean_return"] if is_same else -np.inf

    def _played(self) -> AbstractContextManager[str | Environment | Maker]:
        """Give the environment to play; a copy of the agent's is closed afterwards."""
        if self.env is not None:
            return nullcontext(self.env)
        return closing(copy_env(self.agent.env, is_quiet=True))

    def _evaluated(self, agent: LearningAgent, env: str | Environment | Maker) -> Evaluation:
        return evaluate(agent, self.episodes, seed=self.seed, env=env)

    def _act(self, steps: int) -> bool | None:
        with self._played() as env:
            evaluation = self._evaluated(cast(LearningAgent, self.agent), env)
        self.evaluations.append((steps, evaluation))
        mean = evaluation["mean_return"]
        if mean > self.best_return:
            self.best_return = mean
            if self.best is not None:
                self.agent.save(self.best)
        self.listeners.tell("on_evaluation", steps, evaluation)
        return self.stop_at is None or mean < self.stop_at


class CheckpointEvery(_Every):
    """Save the agent every so many *steps*, as ``FOLDER/PREFIX-STEPS.npz``.

    keep: how many of this callback's newest files are kept; None keeps all. Other callbacks are
    called first in each step, so that an `EvaluateEvery` keeps the same best agent if the process
    is killed and training is resumed from the newest file.
    """

    saves: ClassVar[bool] = True

    def __init__(
        self, steps: int, folder: str | Path, *, prefix: str = "agent", keep: int | None = None
    ) -> None:
        super().__init__(steps)
        check_kind("CheckpointEvery, prefix", prefix, str, optional=False)
        self.folder, self.prefix = path_of(folder, "CheckpointEvery, folder"), prefix
        self.keep = None if keep is None else check_count("CheckpointEvery, keep", keep)
        self.paths: list[Path] = []

    def _act(self, steps: int) -> None:
        make_folder(self.folder)
        self.paths.append(self.folder / f"{self.prefix}-{steps}.npz")
        self.agent.save(self.paths[-1])
        while self.keep is not None and len(self.paths) > self.keep:
            self.paths.pop(0).unlink(missing_ok=True)


class StopAt(Callback):
    """End training when the mean return of the last *episodes* reaches *mean_return*."""

    def __init__(self, mean_return: float, episodes: int = 100) -> None:
        self.mean_return = _mean("StopAt, mean_return", mean_return)
        self.episodes = check_count("StopAt, episodes", episodes)

    def on_episode(self, episode: Episode) -> bool | None:
        last = [each.ret for each in self.agent.episodes[-self.episodes :]]
        return len(last) < self.episodes or float(np.mean(last)) < self.mean_return


class LogTo(Callback):
    """Pass figures of episodes and evaluations to a function, such as a logging service's.

    log: called with named figures and the number of environment steps. For Weights & Biases,
    ``LogTo(lambda values, step: wandb.log(values, step=step))``; for MLflow,
    ``LogTo(lambda values, step: mlflow.log_metrics(values, step=step))``.
    """

    def __init__(self, log: Log) -> None:
        check_callable("LogTo, log", log)
        self.log = log

    def on_episode(self, episode: Episode) -> None:
        """Pass its return, discounted return and length."""
        values = {
            "episode/return": episode.ret,
            "episode/discounted_return": episode.discounted,
            "episode/length": float(episode.length),
        }
        self.log(values, episode.env_steps)

    def on_evaluation(self, steps: int, evaluation: Evaluation) -> None:
        values = {
            "evaluation/mean_return": evaluation["mean_return"],
            "evaluation/std_return": evaluation["std_return"],
        }
        self.log(values, steps)


class CsvFile(LogTo):
    """Write figures as rows ``steps,name,value`` of a file, each at once.

    The file is replaced; a further call of `learn` with the same callback adds rows. If the process
    is killed, the file holds all rows up to then, each complete.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(self._row)
        self.path = path_of(path, "CsvFile, path")
        self._has_begun = False

    def on_start(self) -> None:
        """Begin the file, if this callback hasn't before."""
        if not self._has_begun:
            write_bytes(self.path, b"steps,name,value\n")
            self._has_begun = True

    def _row(self, values: Mapping[str, float], steps: int) -> None:
        rows = as_csv((steps, name, repr(float(value))) for name, value in values.items())
        with writing(f"file {self.path}"), self.path.open("ab", buffering=0) as file:
            file.write(rows)


class TensorBoard(LogTo):
    """Write figures where TensorBoard reads them; needs ``pip install 'neurorl[tensorboard]'``."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(self._scalars)
        self.folder = path_of(folder, "TensorBoard, folder")
        self._library = import_extra("tensorboardX", "TensorBoard", "tensorboardX", "tensorboard")
        self._writer: Any = None

    def on_start(self) -> None:
        """Open the folder. Raises RunError if the system refuses."""
        make_folder(self.folder)
        with writing(f"folder {self.folder}"):
            self._writer = self._library.SummaryWriter(str(self.folder))

    def _scalars(self, values: Mapping[str, float], steps: int) -> None:
        with writing(f"folder {self.folder}"):
            for name, value in values.items():
                self._writer.add_scalar(name, value, steps)

    def on_end(self) -> None:
        if self._writer is not None:
            with writing(f"folder {self.folder}"):
                self._writer.close()
