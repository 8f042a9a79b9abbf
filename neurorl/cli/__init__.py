"""Read the command line; each command has a file.

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input (one line says what).
Imports stay inside the commands, so that ``neurorl --help`` is quick.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from types import ModuleType

from neurorl._version import __version__
from neurorl.cli.parser import Parser
from neurorl.cli.status import exit_status
from neurorl.errors import UnsupportedError, one_line

GROUP = "neurorl.commands"
"""Name the group of entry points by which other distributions add commands: a module each."""

_COMMANDS = {
    "train": "neurorl.cli.train",
    "evaluate": "neurorl.cli.evaluate",
    "validate": "neurorl.validation.cli",
    "show": "neurorl.lab.cli.show",
    "plot": "neurorl.lab.cli.plot",
    "sweep": "neurorl.lab.cli.sweep",
    "status": "neurorl.lab.cli.status",
    "compare": "neurorl.lab.cli.compare",
    "watch": "neurorl.lab.cli.watch",
    "zoo": "neurorl.lab.cli.zoo",
    "export": "neurorl.lab.cli.export_run",
    "import": "neurorl.lab.cli.import_run",
    "backends": "neurorl.cli.backends",
    "bench": "neurorl.bench.cli",
    "doctor": "neurorl.doctor.cli",
    "completion": "neurorl.cli.completion",
}
"""Map each command to its module, which has the names of `_HAS`."""
_HAS = ("HELP", "add_arguments", "run")


@exit_status("neurorl")
def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_all(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _parser() -> Parser:
    parser = Parser(
        prog="neurorl",
        description="Train spiking agents with reward; run them on Brian2 or Loihi's emulator.",
    )
    parser.add_argument("--version", action="version", version=f"neurorl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in _commands():
        command = commands.add_parser(name, help=module.HELP)
        module.add_arguments(command)
        command.set_defaults(command=module.run, name_of_command=name, parsers=parser.commands)
        parser.commands[name] = command
    return parser


def _commands() -> Iterator[tuple[str, ModuleType]]:
    """Yield all commands by name; others' can't take a name of the library's."""
    yield from ((name, importlib.import_module(module)) for name, module in _COMMANDS.items())
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name not in _COMMANDS:
            yield point.name, _loaded(point)


def _loaded(point: importlib.metadata.EntryPoint) -> ModuleType:
    """Return the module of another distribution's command, or one that says what is wrong with it.

    So it breaks no other command.
    """
    try:
        module: ModuleType = point.load()
        lacking = [name for name in _HAS if not hasattr(module, name)]
        problem = f"has no {', '.join(lacking)}" if lacking else ""
    except Exception as exc:  # whatever a stranger's module raises
        problem = f"doesn't import: {one_line(exc)}"
    if not problem:
        return module
    of = "its distribution" if point.dist is None else point.dist.name

    def refuse(_: argparse.Namespace) -> int:
        where, remedy = f"command {point.name}", f"pip install --upgrade {of}"
        raise UnsupportedError(where, f"{point.value} {problem}", remedy=remedy)

    broken = ModuleType(point.name)
    vars(broken).update(HELP=f"of {of}; {problem}", add_arguments=lambda parser: None, run=refuse)
    return broken
