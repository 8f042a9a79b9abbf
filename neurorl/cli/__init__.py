"""The command line, one file for each command.

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input (one line says what).
Imports stay inside the commands, so that ``neurorl --help`` is quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from neurorl import __version__
from neurorl.cli import backends, bench, doctor, evaluate, plot, show, train, validate
from neurorl.errors import NeurorlError

__all__ = ["main"]

_COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "validate": validate,
    "show": show,
    "plot": plot,
    "backends": backends,
    "bench": bench,
    "doctor": doctor,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except NeurorlError as exc:
        print(f"neurorl: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("neurorl: stopped; a run goes on with --resume", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neurorl",
        description="Train spiking agents with reward; run them on Brian2 or Loihi's emulator.",
    )
    parser.add_argument("--version", action="version", version=f"neurorl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in _COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP)
        module.add_arguments(command)
        command.set_defaults(command=module.run)
    return parser
