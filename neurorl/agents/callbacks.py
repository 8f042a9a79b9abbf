"""Call callbacks while an agent trains, stop when they ask for it, and show how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from neurorl.agents.budget import Budget
from neurorl.agents.episodes import Episode
from neurorl.errors import ArgumentError, quoted
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import check_count
from neurorl.tasks.kinds import Environment, Shown


class AgentInTraining(Protocol):
    """Declare what a callback may use of the agent that trains."""

    env: Environment
    env_id: str
    seed: int

    @property
    def episodes(self) -> list[Episode]:
        """Return all episodes that it has played."""

    @property
    def weights(self) -> Mapping[str, FloatArray]:
        """Return copies of the learned weights by projection."""

    @property
    def steps_taken(self) -> int:
        """Return how many environment steps it has learned from."""

    def predict(self, observation: Shown) -> Shown:
        """Return the action with the most votes."""

    def save(self, path: str | Path) -> None:
        """Write a checkpoint."""


class Callback:
    """Follow `learn`: derive a class, and define the methods that you need.

    Each of the ``on_`` methods may return False, Python's or NumPy's, which ends training at the
    next resumable moment: `learn` returns, and a later call plays what this one would have played.
    Callbacks that only read don't change training by a bit: they may call `neurorl.evaluate`,
    `predict`, `save` and players of the agent, but no methods that change it (``learn``,
    ``restore``, ``adopt``, ``close``), and may not step its environment.

    saves: whether it saves the agent for resuming, as `CheckpointEvery` does. It is called after
    all others in each step, so that a resumed training has missed none of their calls.

    agent: the agent that trains, from `on_start` on. budget: how far it is to train. listeners: all
    callbacks of this training.
    """

    saves: ClassVar[bool] = False

    agent: AgentInTraining
    budget: Budget
    listeners: Listeners

    def on_start(self) -> bool | None:
        """Be called when `learn` begins."""

    def on_step(self, steps: int) -> bool | None:
        """Be called after learning from an environment step; by gradients after each update.

        steps: how many the agent has learned from in all.
        """

    def on_update(self, updates: int) -> bool | None:
        """Be called when weights may have changed: with a local rule in each step.

        updates: how many there were in this call of `learn`; by gradients, of the optimiser.
        """

    def on_episode(self, episode: Episode) -> bool | None:
        """Be called when an episode has ended."""

    def on_evaluation(self, steps: int, evaluation: Any) -> bool | None:
        """Be called with a result of `neurorl.evaluate`; see `EvaluateEvery`."""

    def on_end(self) -> bool | None:
        """Be called when `learn` ends, also by an error."""


CallbackLike = (
    Callable[[Episode], object] | Callback | Iterable[Callable[[Episode], object] | Callback]
)
"""Accept a function of an episode, a `Callback`, or several of them."""


class _Function(Callback):
    """Call a function for each episode; False ends training, all else that it returns doesn't."""

    def __init__(self, function: Callable[[Episode], object]) -> None:
        self._function = function

    def on_episode(self, episode: Episode) -> bool | None:
        """Call the function."""
        answer = self._function(episode)
        return bool(answer) if isinstance(answer, (bool, np.bool_)) else None


class Listeners:
    """Call several callbacks in order, those that save last.

    budget: how far the agent is to train. wants_to_stop: whether one of them has returned False.
    hears_steps: whether one of them defines
    `on_step` or `on_update`; if not, nothing is called in each step.
    """

    def __init__(
        self, callbacks: Iterable[Callback], agent: AgentInTraining, budget: Budget
    ) -> None:
        self._all = sorted(callbacks, key=lambda callback: callback.saves)
        self.wants_to_stop = False
        self._updates = 0
        for callback in self._all:
            callback.agent, callback.budget, callback.listeners = agent, budget, self
        self._agent, self.budget = agent, budget
        self._on_step = self._defining("on_step")
        self._on_update = self._defining("on_update")
        self.hears_steps = bool(self._on_step or self._on_update)

    def _defining(self, name: str) -> list[Any]:
        """Return the bound methods of callbacks that define *name* themselves."""
        own = getattr(Callback, name)
        return [getattr(c, name) for c in self._all if getattr(type(c), name) is not own]

    def tell(self, name: str, *values: object) -> None:
        """Call the method *name* of each callback."""
        for callback in self._all:
            self._heed(getattr(callback, name), *values)

    def step(self) -> None:
        """Count a step, and report it and its update."""
        steps = self._agent.steps_taken
        self._updates += 1
        for on_step in self._on_step:
            self._heed(on_step, steps)
        for on_update in self._on_update:
            self._heed(on_update, self._updates)

    def _heed(self, method: Callable[..., object], *values: object) -> None:
        """Call a method of a callback, and stop if it returns False. Raises ArgumentError."""
        answer = method(*values)
        if answer is None:
            return
        if not isinstance(answer, (bool, np.bool_)):
            where, limit = f"callback {method.__qualname__}", "True, False or None"
            what, remedy = "returns neither", "return False to end training, else nothing"
            raise ArgumentError(where, what, got=quoted(answer), limit=limit, remedy=remedy)
        self.wants_to_stop |= not answer


def listening(callback: CallbackLike | None) -> tuple[Callback, ...]:
    """Return the listeners of a `CallbackLike`. Raises ArgumentError for anything else."""
    if callback is None:
        return ()
    if isinstance(callback, Callback):
        return (callback,)
    if isinstance(callback, type) and issubclass(callback, Callback):
        got, limit = f"the class {callback.__name__}", "an object of it"
        raise ArgumentError("learn, callback", "is a class", got=got, limit=limit)
    if callable(callback):
        return (_Function(callback),)
    if isinstance(callback, Iterable) and not isinstance(callback, (str, bytes)):
        return tuple(part for each in callback for part in listening(each))
    limit = "a function of an episode, a neurorl.callbacks.Callback, or several"
    raise ArgumentError("learn, callback", "not to be called", got=callback, limit=limit)


class Progress(Callback):
    """Show a bar with the mean return of the last episodes, on a terminal and in a notebook."""

    def __init__(self, episodes: int = 20) -> None:
        self.episodes = check_count("Progress, episodes", episodes)
        self._bar: _TerminalBar | _NotebookBar | None = None

    def on_start(self) -> None:
        from rich.console import Console

        total = self.budget.steps or self.budget.episodes
        self._bar = _NotebookBar(total) if Console().is_jupyter else _TerminalBar(total)

    def on_episode(self, episode: Episode) -> None:
        by_steps = self.budget.steps is not None
        self._move(episode.env_steps if by_steps else episode.episode + 1)

    def on_end(self) -> None:
        if self._bar is None:  # if another callback failed before training began
            return
        if self.budget.steps is not None:
            self._move(self.agent.steps_taken)
        self._bar.stop()
        self._bar = None

    def _move(self, done: int) -> None:
        """Show how many episodes or steps are done, and the mean return of the last episodes."""
        last = [each.ret for each in self.agent.episodes[-self.episodes :]]
        if self._bar is not None:
            self._bar.move(done, f"{np.mean(last):.1f}" if last else "-")


class _TerminalBar:
    """Draw a bar by rich. total: number of episodes or steps; None if unknown."""

    def __init__(self, total: int | None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        text = TextColumn("return {task.fields[shown]}")
        self._bar = Bar(BarColumn(), MofNCompleteColumn(), text, TimeRemainingColumn())
        self._bar.start()
        self._task = self._bar.add_task("training", total=total, shown="-")

    def move(self, done: int, mean_return: str) -> None:
        self._bar.update(self._task, completed=done, shown=mean_return)

    def stop(self) -> None:
        self._bar.stop()


class _NotebookBar:
    """Draw a bar as HTML, because rich needs ipywidgets in notebooks."""

    def __init__(self, total: int | None) -> None:
        display = import_module("IPython.display").display  # a notebook's own
        self._total = total
        self._shown = display(self._data(0, "-"), raw=True, display_id=True)

    def move(self, done: int, mean_return: str) -> None:
        self._shown.update(self._data(done, mean_return), raw=True)

    def stop(self) -> None:
        """Leave the bar as it is."""

    def _data(self, done: int, mean_return: str) -> dict[str, str]:
        of_all = f" of {self._total}" if self._total else ""
        text = f"{done}{of_all}, return {mean_return}"
        bar = f'<progress value="{done}" max="{self._total}"></progress> ' if self._total else ""
        return {"text/plain": text, "text/html": f"{bar}{text}"}
