"""Describe one fault, the network that it is put into, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.validation import Validation, validate

LEARN: dict[str, Any] = {"learn": True, "updates": 12}


@dataclass(frozen=True)
class Fault:
    """Describe one mistake in one network. causes: the words that are right."""

    name: str
    cls: type[Simulator]
    network: Callable[[], Any]
    causes: tuple[str, ...]
    words: str = ""
    seed: int = 3
    steps: int = 240
    options: dict[str, Any] = field(default_factory=dict)
    arithmetic: str = "float"


def judge(fault: Fault) -> tuple[str, str]:
    """Return 'rightly', 'unknown', 'wrongly' or 'not seen', and what was said."""
    found: Validation = validate(
        fault.network(),
        [
            BackendSpec("reference", fault.arithmetic),
            BackendSpec("foreign", fault.arithmetic, cls=fault.cls),
        ],
        steps=fault.steps,
        seed=fault.seed,
        **fault.options,
    )
    if found.verdict == "exact":
        return "not seen", ""
    said = [(e.cause, e.detail) for e in found.explanations]
    said = said or [
        (r["cause"], r["detail"]) for r in found.rows if r["cause"] not in (None, "follows")
    ]
    if not said:
        return "unknown", "nothing was said"
    told = "; ".join(f"{cause}: {detail}" for cause, detail in said)
    right = [cause in fault.causes and fault.words in detail for cause, detail in said]
    unsure = [cause == "unknown" for cause, _ in said]
    if all(r or u for r, u in zip(right, unsure, strict=True)):
        return ("rightly" if any(right) else "unknown"), told
    return "wrongly", told
