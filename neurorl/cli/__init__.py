"""Read the command line; each command has a file.

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input (one line says what).
Imports stay inside the commands, so that ``neurorl --help`` is quick.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
from collections.abc import Callable
from types import ModuleType

from neurorl._version import __version__
from neurorl.cli.parser import Parser
from neurorl.cli.status import exit_status

__all__ = ["GROUP", "main"]

GROUP = "neurorl.commands"
"""Name the group of entry points by which other distributions add commands: a module each."""

_COMMANDS = {
    "train": "neurorl.cli.train",
    "evaluate": "neurorl.cli.evaluate",
    "validate": "neurorl.validation.cli",
    "show": "neurorl.lab.cli.show",
    "plot": "neurorl.lab.cli.plot",
    "sweep": "neurorl.lab.cli.sweep",
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
"""Map each command to its module, which has HELP, add_arguments and run."""


@exit_status("neurorl", "a run goes on with --resume")
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


def _commands() -> list[tuple[str, ModuleType]]:
    """Return all commands by name; the library's own names can't be taken."""
    ours = [(name, importlib.import_module(module)) for name, module in _COMMANDS.items()]
    points = importlib.metadata.entry_points(group=GROUP)
    return ours + [(one.name, one.load()) for one in points if one.name not in _COMMANDS]
