"""Print the texts of rules as C++, from their checked trees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from neurorl.rules import Rule
from neurorl.rules.post_factor import NAMES, PostFactor

__all__ = ["printed", "text_name"]

_CPP: Mapping[str, str] = {name: f"{name}[j]" for name in NAMES} | {
    "spike": "(double)spike[j]",
    "W": "W",
    "M": "M",
    "trace": "1.0",
}
_USED = ("p", "y", "v", "slow", "phi", "t", "n", "V")


def printed(rules: Iterable[Rule]) -> str:
    """Return the C++ of the texts of *rules*, one for each that differs from the others."""
    texts = {text_name(text): _arguments(text) for rule in rules for text in rule.texts}
    lines = (f"NEURORL_TEXT({name}, {arguments})" for name, arguments in texts.items())
    return "\n".join(['#include "expressions.h"', '#include "names.h"', *lines, ""])


def text_name(text: PostFactor) -> str:
    """Return the name of a text in C++, the same for texts that compute the same."""
    return f"neurorl_text_{hashlib.sha256(_arguments(text).encode()).hexdigest()[:16]}"


def _arguments(text: PostFactor) -> str:
    used = (name for name in _USED if name in text.expression.names)
    bits = " | ".join(f"neurorl::USED_{name}" for name in used) or "0"
    # A gain is that of a step with a spike.
    value = text.expression.cpp({**_CPP, "spike": "1.0"} if text.is_gain else _CPP)
    return f"{int(text.is_gain)}, {bits}, ({value})"
