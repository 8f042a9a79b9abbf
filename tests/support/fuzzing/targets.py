"""Define a kind of input: how to make many, and what is done with each."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st


class Target(abc.ABC):
    """Prepare once in an empty folder of its own, then attempt often.

    name: for the table. weight: its share of all inputs. inputs: a strategy, set by `prepare`.
    """

    name: ClassVar[str]
    weight: ClassVar[int]
    needs: ClassVar[tuple[str, ...]] = ()
    inputs: st.SearchStrategy[Any]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepare()

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make what is valid, and the strategy that changes it."""

    @abc.abstractmethod
    def attempt(self, value: Any) -> None:
        """Do with an input what a user would; it may raise a NeurorlError and nothing else."""
