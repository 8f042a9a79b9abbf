"""Share options between commands, and the kinds of their arguments."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from neurorl.errors import ArgumentError, NeurorlError
from neurorl.storage.plain import PlainData

_LONGEST_NAME = 255  # bytes; what common file systems take
_LONGEST_PATH = 4095


def path(text: str) -> Path:
    """Return the path. Raises ArgumentTypeError for one that no file system takes."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("a path has characters, and no NUL")
    name = os.fsencode(text)
    if len(name) > _LONGEST_PATH or max(map(len, name.split(b"/"))) > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"a path of {len(name)} bytes is too long")
    return Path(text)


def run(text: str) -> Path:
    """Return the path of a run, or that of ``zoo:NAME``. Raises ArgumentTypeError."""
    from neurorl.storage.zoo import located

    try:
        return located(path(text))
    except NeurorlError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def beside(run: Path, name: str) -> Path:
    """Return the default path of a file that is made from a run: inside the run's folder.

    For a pretrained agent it is in the current folder.
    """
    from neurorl.storage.zoo import is_within

    return Path(f"{run.name}-{name}") if is_within(run) else run / name


_KINDS = {"int": int, "float": float, "path": path, "run": run}
_HOW: dict[str, PlainData] = {
    "required": {"required": True},
    "...": {"action": "append", "default": []},
}


@dataclass(frozen=True)
class Command:
    """Hold a command: its line of help, what adds its arguments to a parser, and what runs it.

    The latter returns the exit status; None is 0. A module with these names is a command, too.
    """

    HELP: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]


def command(text: str) -> Callable[[Callable[[argparse.Namespace], int | None]], Command]:
    """Make a command of a function. text: its line of help, and after an empty line its `added`."""
    said, _, table = text.strip().partition("\n\n")
    return partial(Command, said, added(table))


def added(table: str) -> Callable[[argparse.ArgumentParser], None]:
    """Return what adds the arguments of a table to a parser; a line that is indented goes on.

    A line has names, what stands for a value (without, it is a flag) and, in any order, a kind of
    `_KINDS` (else text), a default after ``=``, choices with ``|`` between them, ``?`` or ``+`` for
    none or several words, ``...`` if it may be repeated, ``required``; then two spaces or more, and
    the help.
    """
    rows = re.sub(r"\n +", " ", table.strip()).splitlines()

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        for head, _, told in (row.partition("  ") for row in rows):
            names, options = _read(head.split())
            parser.add_argument(*names, **options, help=told.strip() or None)

    return add_arguments


def _read(words: list[str]) -> tuple[list[str], PlainData]:
    """Return the names of an argument, and how it is read."""
    names = [word for word in words if word.startswith("--")] or words[:1]
    value, *how = words[len(names) :] or [""]
    options: PlainData = {"metavar": value} if value else {"action": "store_true"}
    for word in how:
        if word in _KINDS:
            options["type"] = _KINDS[word]
        elif word.startswith("="):
            options["default"] = word[1:]
        elif "|" in word:
            options["choices"] = word.split("|")
        else:
            options |= _HOW.get(word, {"nargs": word})
    return names, options


BACKEND = """
--backend B            reference, native, loihi, ..., or such as brian2:cython:loihi (default: the
    quickest here; neurorl backends names it)
--arithmetic A         float or loihi (default: the backend's)
--noise N              exact (default), or in arithmetic loihi the chip's own: chip or chip+coins
--target T             of backend loihi: auto (default; a chip if NxSDK is installed), emulator or
    loihi
--device D             of backend torch, and of training by gradients: cpu (default), cuda, cuda:0,
    ...
""".strip()
"""List the options that `chosen_backend` reads."""

TRUST = """
--trust-env            import what the run says that its environment is from; only for files you
    know
""".strip()
WRAP = """
--wrap MODULE:WRAPPER ...  around the environment, with arguments as in MODULE:WRAPPER,K=V; may be
    repeated
""".strip()


@dataclass(frozen=True)
class ChosenBackend:
    """Hold what the flags of `BACKEND` say; None for what they don't."""

    backend: str | None
    arithmetic: str | None
    noise: str | None
    backend_options: Mapping[str, object]


def chosen_backend(arguments: argparse.Namespace) -> ChosenBackend:
    """Return what the flags of `BACKEND` say.

    Raises NeurorlError for an unknown name or a contradiction.
    """
    from neurorl.backends.spec import BackendSpec

    arithmetic, noise = arguments.arithmetic, arguments.noise
    said = {"target": arguments.target, "device": arguments.device}
    options = {name: value for name, value in said.items() if value is not None}
    if arguments.backend is None:
        return ChosenBackend(None, arithmetic, noise, options)
    return ChosenBackend(**BackendSpec.of(arguments.backend, arithmetic, noise, options).keywords)


def imported(texts: list[str], kind: str) -> tuple[str, ...]:
    """Return the texts of wrappers, or of callbacks (*kind*), their modules imported."""
    from neurorl.tasks.arguments import check_wrappers, module_of

    for text in (checked := check_wrappers(texts, kind)):
        import_named(module_of(text))
    return checked


def look_here() -> None:
    """Find modules in the current folder too, as the user has named one, or trusts who has."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def import_named(name: str) -> None:
    """Import MODULE of ``MODULE:NAME``, which the user has written, from the current folder too.

    Raises ArgumentError if it doesn't import.
    """
    look_here()
    module = name.partition(":")[0]
    try:
        importlib.import_module(module)
    except Exception as exc:  # a user's module may raise anything
        raise ArgumentError(f"module {module!r}", "doesn't import", got=exc) from exc
