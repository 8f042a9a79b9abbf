"""Load C++ libraries, shipped or compiled into the user's cache; print rules and neurons for it.

It is `neurorl.rules.membrane` in C++, printed from checked trees.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from neurorl.errors import BackendError, one_line
from neurorl.native import SOURCES, shipped, structures, toolchain
from neurorl.native.cache import CompileCache, load_copy
from neurorl.native.structures import asserted
from neurorl.network.neuron import IS_SILENT, StepPlan
from neurorl.numerics import elementary
from neurorl.rules import Rule
from neurorl.rules.post_factor import NAMES, PostFactor
from neurorl.rules.registry import SHIPPED, VALUE

_LOOP = ("learning loop", "take loop='numpy'")  # for errors


@dataclass(frozen=True)
class CppSource:
    """Hold C++ to compile: code, and the folders of what it includes; any file there counts."""

    code: str
    folders: tuple[Path, ...] = (SOURCES,)

    def key(self) -> str:
        """Return a name for its library, which differs by compiler and processor too."""
        return self._digest(toolchain.identity() or "")

    def name(self) -> str:
        """Return a name for its library that is the same on all machines."""
        return self._digest()

    def _digest(self, *on: str) -> str:
        depends = [self.code, *toolchain.LIBRARY_FLAGS, *on]
        digest = hashlib.sha256("\0".join(depends).encode())
        for path in sorted(path for folder in self.folders for path in folder.iterdir()):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:32]


def cache_folder() -> Path:
    """Return the folder of compiled libraries; it may be deleted at any time."""
    return user_cache_path("neurorl") / "native"


@functools.cache
def library() -> ctypes.CDLL:
    """Return the library of ``src/``, with the texts of all rules of ours, see `compiled`."""
    loaded = compiled(kernels(), *_LOOP)
    loaded.neurorl_set_cos_terms((ctypes.c_double * 13)(*elementary.COS_TERMS))
    return loaded


def text_addresses(rule: Rule) -> tuple[int, ...]:
    """Return where the texts of a rule are in C++, of the output and of other layers.

    They are in the loop's library if rules of ours have the same; else they are compiled, once for
    a machine. Raises BackendError if they don't compile.
    """
    names, found = [text_name(text) for text in rule.texts], library()
    if not all(hasattr(found, name) for name in names):
        found = lasting(CppSource(printed([rule])), f"rule {rule.name!r}")
    return tuple(ctypes.addressof(ctypes.c_char.in_dll(found, name)) for name in names)


@functools.cache
def lasting(source: CppSource, where: str, remedy: str = _LOOP[1]) -> ctypes.CDLL:
    """Return the library, which stays loaded as long as the process: loops have pointers to it."""
    return compiled(source, where, remedy)


def declared(arrays: Mapping[str, str]) -> list[str]:
    """Return the C++ that names the arrays at *at*, given the types of their numbers in order."""
    each = enumerate(arrays.items())
    return [f"{kind} *__restrict const {x} = ({kind} *)at[{k}];" for k, (x, kind) in each]


def call(function: Callable[..., object], shape: Sequence[int], at: Iterable[int | None]) -> None:
    """Call printed code. shape: its numbers. at: where the arrays of `declared` are."""
    places = [*at]
    numbers, pointers = ctypes.c_int64 * len(shape), ctypes.c_void_p * len(places)
    function(numbers(*shape), pointers(*places))


def compiled(source: CppSource, where: str, remedy: str) -> ctypes.CDLL:
    """Return a library: shipped, else from the cache, compiled now if it is missing or damaged.

    where, remedy: for the error.
    Raises BackendError if it doesn't compile, or if others can write to the cache.
    """
    cache, code = CompileCache(cache_folder()), shipped.library(source.name())
    if code is not None:
        cache.check()  # a copy may be put there
    else:
        code = cache.library(source.key(), lambda path: build(source, path, where, remedy))
    try:
        return load_copy(code, cache.folder)
    except OSError as exc:
        raise BackendError(where, "its library can't be loaded", got=exc, remedy=remedy) from exc


def has_library(source: CppSource | None = None) -> bool:
    """Return whether there is nothing to compile, of a source or else of `library`.

    Raises BackendError for a bad cache.
    """
    is_loaded = source is None and library.cache_info().currsize > 0
    source = source or kernels()
    return is_loaded or is_shipped(source) or CompileCache(cache_folder()).has(source.key())


def is_shipped(source: CppSource) -> bool:
    """Return whether the library came with the package, so that no compiler is needed."""
    return shipped.has(source.name())


def lacking() -> str | None:
    """Explain why there can be no `library` here; None if it is shipped, or there is a compiler."""
    return None if is_shipped(kernels()) else toolchain.problem()


def failure() -> str | None:
    """Return why there is no `library` and none can be compiled here, which is tried."""
    if (why := lacking()) is not None:
        return why
    try:
        return None if has_library() else toolchain.trial()
    except BackendError as exc:
        return one_line(exc)


@functools.cache
def kernels() -> CppSource:
    """Return the source of `library`."""
    texts = printed(rule for rule in (*SHIPPED.values(), VALUE) if not rule.signals)
    return CppSource("\n".join(['#include "kernels.cpp"', asserted(structures.ALL), texts]))


def build(
    source: CppSource, library: Path, where: str, remedy: str, flags: Sequence[str] = ()
) -> None:
    """Compile *source* to *library*, with more *flags* after those of `toolchain`.

    Raises BackendError with the compiler's first error.
    """
    file = library.with_suffix(".cpp")
    file.write_text(source.code)
    command = [*toolchain.compiler(), *toolchain.LIBRARY_FLAGS, *flags]
    command += [f"-iquote{folder}" for folder in source.folders]
    command += [str(file), "-o", str(library)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as exc:
        what = f"can't run the compiler {command[0]!r}"
        raise BackendError(where, what, got=exc.strerror, remedy=remedy) from exc
    if done.returncode:
        log = cache_folder() / "build.log"
        log.write_text(done.stdout)
        remedy = f"all of it is in {log}; or {remedy}"
        lines = [line for line in done.stdout.splitlines() if "error" in line] or [""]
        raise BackendError(where, "its library doesn't compile", got=lines[0], remedy=remedy)


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
    return "\n".join(['#include "expressions.h"', '#include "agent.h"', *lines, ""])


def text_name(text: PostFactor) -> str:
    """Return the name of a text in C++, the same for texts that compute the same."""
    return f"neurorl_text_{hashlib.sha256(_arguments(text).encode()).hexdigest()[:16]}"


def _arguments(text: PostFactor) -> str:
    used = (name for name in _USED if name in text.expression.names)
    bits = " | ".join(f"neurorl::USED_{name}" for name in used) or "0"
    # A gain is that of a step with a spike.
    value = text.expression.cpp({**_CPP, "spike": "1.0"} if text.is_gain else _CPP)
    return f"{int(text.is_gain)}, {bits}, ({value})"


_SIGNATURE = """#include "expressions.h"
extern "C" void neurorl_step(
    int64_t n, const double *__restrict constants, const double *__restrict arrived,
    const double *__restrict bias, const uint8_t *__restrict spikes,
    const int64_t *__restrict refractory_steps, double *__restrict state, int64_t *__restrict dead,
    uint8_t *__restrict is_open, double *__restrict gap)
{
#pragma GCC ivdep
for (int64_t j = 0; j < n; j++) {"""


def equations_of(plan: StepPlan, where: str) -> structures.Struct:
    """Return the structure for the loop in C++.

    plan: what neurons do in a step. where: names them in errors.
    Raises BackendError if they don't compile.
    """
    threshold, plan = plan.constants.get("threshold"), plan.hoisted()
    initial, constants = (
        np.array([np.broadcast_to(x, (plan.size,)) for x in values.values()], dtype=np.float64)
        for values in (plan.initial, plan.constants)
    )
    return structures.Equations(
        n_variables=len(plan.initial),
        n_inputs=len(plan.inputs),
        v=list(plan.initial).index("v") if "v" in plan.initial else -1,
        initial=initial,
        constants=constants,
        bias=plan.bias,
        threshold=threshold,
        refractory_steps=plan.refractory_steps,
        step=ctypes.cast(lasting(step_source(plan), where).neurorl_step, ctypes.c_void_p).value,
    )


def step_source(plan: StepPlan) -> CppSource:
    """Return the C++ of a step of neurons, however many, from their `StepPlan.hoisted`."""
    return CppSource("\n".join([_SIGNATURE, *_lines(plan), "}", "}", ""]))


def _lines(plan: StepPlan) -> Iterator[str]:
    state = list(plan.initial)
    names = {x: f"own_{x}" for x in (*plan.constants, *state, *plan.inputs)}
    names |= {line.variable: f"own_{line.variable}" for line in (*plan.update, *plan.reset)}
    for k, x in enumerate(plan.constants):
        yield f"const double own_{x} = constants[{k} * n + j];"
    for k in range(len(state)):
        yield f"const double old_{k} = state[{k} * n + j];"
    set_here = [own for x, own in names.items() if x not in plan.constants]
    yield "double " + ", ".join(f"{own} = 0.0" for own in set_here) + ";"
    names |= {"logistic": "0.0", "bias": "bias[j]"}
    yield from (f"own_{x} = old_{k};" for k, x in enumerate(state))
    yield from (f"own_{x} = own_{x} + arrived[{k} * n + j];" for k, x in enumerate(plan.inputs))
    yield from (f"{names[line.variable]} = {line.value.cpp(names)};" for line in plan.update)
    held = ((state.index(x), x) for x in plan.held)
    yield from (f"own_{x} = dead[j] > 0 ? old_{k} : own_{x};" for k, x in held)
    if plan.is_noisy:
        assert plan.margin is not None  # noise needs one
        left, right = (side.cpp(names) for side in plan.margin)
        yield f"gap[j] = ({right} - {left}) / own_noise_width;"
    silent = f"own_{IS_SILENT} > 0.0" if IS_SILENT in plan.constants else "false"
    yield f"is_open[j] = !(dead[j] > 0 || {silent});"
    yield "const bool fired = spikes[j];"
    for line in plan.reset:
        own = names[line.variable]
        yield f"{own} = fired ? {line.value.cpp(names)} : {own};"
    yield from (f"state[{k} * n + j] = own_{x};" for k, x in enumerate(state))
    yield "dead[j] = fired ? refractory_steps[j] : dead[j] - (dead[j] > 0);"
