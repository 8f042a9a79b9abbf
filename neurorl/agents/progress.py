"""Show how far an agent has trained, by a bar on a terminal or in a notebook."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from neurorl.agents.arguments import check_count
from neurorl.agents.callbacks import Callback
from neurorl.agents.episodes import Episode


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
