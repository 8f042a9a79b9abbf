"""Find the compiled texts of rules."""

from __future__ import annotations

import ctypes
import functools

from neurorl.native.build import CppSource, compiled, library
from neurorl.native.rule_text import printed, text_name
from neurorl.rules import Rule

__all__ = ["text_addresses"]


def text_addresses(rule: Rule) -> tuple[int, ...]:
    """Return where the texts of a rule are in C++, of the output and of other layers.

    They are in the loop's library if rules of ours have the same; else they are compiled, once for
    a machine. Raises BackendError if they don't compile.
    """
    names, source = [text_name(text) for text in rule.texts], library()
    if not all(hasattr(source, name) for name in names):
        source = _loaded(printed([rule]), f"rule {rule.name!r}")
    return tuple(ctypes.addressof(ctypes.c_char.in_dll(source, name)) for name in names)


@functools.cache
def _loaded(source: str, rule: str) -> ctypes.CDLL:
    """Return the library, which stays loaded as long as the process: loops have pointers to it."""
    return compiled(CppSource(source), rule, "take loop='numpy'")
