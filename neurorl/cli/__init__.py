"""Read the command line; each command has a file.

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input (one line says what).
Imports stay inside the commands, so that ``neurorl --help`` is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from neurorl import __version__
from neurorl.cli import (
    backends,
    bench,
    compare,
    completion,
    doctor,
    evaluate,
    export_run,
    import_run,
    plot,
    show,
    sweep,
    train,
    validate,
    watch,
    zoo,
)
from neurorl.cli.parser import Parser
from neurorl.cli.status import exit_status

__all__ = ["main"]

_COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "validate": validate,
    "show": show,
    "plot": plot,
    "sweep": sweep,
    "compare": compare,
    "watch": watch,
    "zoo": zoo,
    "export": export_run,
    "import": import_run,
    "backends": backends,
    "bench": bench,
    "doctor": doctor,
    "completion": completion,
}


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
    for name, module in _COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP)
        module.add_arguments(command)
        command.set_defaults(command=module.run, name_of_command=name, parsers=parser.commands)
        parser.commands[name] = command
    return parser
