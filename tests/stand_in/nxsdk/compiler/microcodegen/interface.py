"""Make the microcode of learning rules."""

from types import SimpleNamespace
from typing import Any


def ruleToUCode(rules: list[str], doOptimize: bool) -> Any:
    """Hold one word, the rule itself."""
    return SimpleNamespace(numUCodes=1, uCodes=list(rules))
