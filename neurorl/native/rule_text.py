"""Compile the texts of a rule: C++ printed from their checked trees, once for a machine."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping

from neurorl.expressions.expression import Expression
from neurorl.native.build import compiled, library
from neurorl.native.layout import codes
from neurorl.native.structures import Text

__all__ = ["compiled_texts"]

_PER_NEURON: Mapping[str, str] = {name: name for name in ("phi", "b", "V", "theta")} | {
    "t": "taken",
    "n": "count",
}
_PER_STEP = ("p", "y", "v", "slow")
_BITS: Mapping[str, str] = {"v": "membrane"}  # where the name in lower letters is another's
_CPP: Mapping[str, str] = {
    **{name: f"{field}[j]" for name, field in _PER_NEURON.items()},
    **{name: f"{name}[j]" for name in _PER_STEP},
    "spike": "(double)spikes[j]",
    "W": "W",
    "M": "names->M",
    "trace": "1.0",
}


def compiled_texts(rule: str, texts: Mapping[str, tuple[Expression, bool]]) -> dict[str, Text]:
    """Return the compiled form of texts, by the same keys.

    rule: names it in errors. texts: each with whether it is a gain for each spike.
    Raises BackendError if it doesn't compile.
    """
    functions = [_function(f"neurorl_{key}", *text) for key, text in texts.items()]
    source = "\n".join(['#include "expressions.h"', '#include "names.h"', *functions])
    loaded = _loaded(source, rule)
    bits = codes(library(), "rule_name")
    return {
        key: Text(
            is_gain=is_gain,
            names=sum(1 << bits[_bit(name)] for name in text.names if name != "trace"),
            compute=ctypes.cast(getattr(loaded, f"neurorl_{key}"), ctypes.c_void_p).value,
        )
        for key, (text, is_gain) in texts.items()
    }


def _bit(name: str) -> str:
    return f"name-{_BITS.get(name, name.lower())}"


@functools.cache
def _loaded(source: str, rule: str) -> ctypes.CDLL:
    """Return the library, which stays loaded as long as the process: loops have pointers to it."""
    return compiled(source, rule, "take loop='numpy'")


def _function(name: str, text: Expression, is_gain: bool) -> str:
    """Return the C++ function of a text; of a gain, that of a spike."""
    names = {**_CPP, "spike": "1.0"} if is_gain else _CPP
    value = f"__builtin_rint({text.cpp(names)} * 0x1p20) * 0x1p-20"
    fields = [field for key, field in _PER_NEURON.items() if key in text.names]
    lines = [
        f'extern "C" void {name}(const neurorl::Names *names, double *__restrict f)',
        "{",
        "const int64_t n = names->n;",
        "const double W = names->W;",
        *(f"const double *__restrict {field} = names->{field};" for field in fields),
    ]
    if not is_gain:
        lines += [
            "for (int64_t step = 0; step < names->steps; step++, f += n) {",
            "const uint8_t *spikes = names->spikes + step * names->stride;",
            *(f"const double *__restrict {key} = names->{key} + step * n;" for key in _PER_STEP),
        ]
    lines += ["for (int64_t j = 0; j < n; j++)", f"f[j] = {value};", "}"]
    return "\n".join([*lines, *([] if is_gain else ["}"]), ""])
