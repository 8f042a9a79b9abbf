"""Make embedded code."""

from types import SimpleNamespace
from typing import Any


class Graph:
    """Do nothing: nengo-loihi replaces it by a class of its own, which copies files."""

    def createSnip(self, phase: int, **options: Any) -> Any:
        return SimpleNamespace(phase=phase, **options)
