"""Read the command line; a mistake is told in two short lines.

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input (one line says what).
Imports stay inside the commands, so that ``neurorl --help`` is quick.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from neurorl._version import __version__
from neurorl.cli.options import Command
from neurorl.cli.status import exit_status
from neurorl.errors import UnsupportedError, one_line

_CHOICE = re.compile(r"argument \w+: invalid choice: '([^']*)'")
_UNKNOWN = "unrecognized arguments: "


class Parser(argparse.ArgumentParser):
    """Parse as argparse does, but say in an error what is wanted instead of every option.

    flags: its options, such as ``--seed``, with their help. words: names of what isn't an option.
    commands: parsers by name, of one that has commands.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.flags: dict[str, str] = {}
        self.words: list[str] = []
        self.commands: dict[str, Parser] = {}
        super().__init__(*arguments, **options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Add an argument, as argparse does."""
        action = super().add_argument(*names, **options)
        if action.option_strings:
            self.flags[action.option_strings[-1]] = action.help or ""
        else:
            word = str(action.metavar or action.dest)
            self.words.append(f"[{word}]" if action.nargs == "?" else word)
        return action

    def parse_all(self, words: list[str] | None) -> argparse.Namespace:
        """Return what the words say; a command's own parser refuses what it doesn't know."""
        options, unknown = self.parse_known_args(words)
        if unknown:
            parser = self.commands.get(getattr(options, "name_of_command", ""), self)
            parser.error(_UNKNOWN + " ".join(unknown))
        return options

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, beside what is wanted, and exit with 2."""
        wanted = [*self.words, "COMMAND ..." if self.commands else "[options]"]
        lines = [
            f"usage: {' '.join([self.prog, *wanted])}",
            f"{self.prog}: {message}{self._meant(message)}; see {self.prog} --help",
        ]
        self.exit(2, "\n".join(lines) + "\n")

    def _meant(self, message: str) -> str:
        """Return what the user may have meant."""
        choice = _CHOICE.match(message)
        if choice:
            got, known = choice[1], [*self.commands]
        elif message.startswith(_UNKNOWN):
            words = message.removeprefix(_UNKNOWN).split(" ")  # one may be empty
            from neurorl.models.agent.hints import HINTS

            got, known = words[0].partition("=")[0], [*self.flags]
            hint = HINTS.get(got.lstrip("-").replace("-", "_"))
            if hint:
                return f" ({hint})"
        else:
            return ""
        names = {name.lstrip("-"): name for name in known}  # dashes make any two options alike
        near = difflib.get_close_matches(got.lstrip("-"), [*names], n=1, cutoff=0.5)
        return f" (did you mean {names[near[0]]}?)" if near else ""


GROUP = "neurorl.commands"
"""Name the group of entry points by which other distributions add commands, or modules of one."""

_COMMANDS = {
    "train": "neurorl.cli.train:train",
    "evaluate": "neurorl.lab.cli.runs:evaluate_run",
    "validate": "neurorl.validation.cli",
    "show": "neurorl.lab.cli.show:show",
    "plot": "neurorl.lab.cli.runs:plot",
    "sweep": "neurorl.lab.cli.sweeps:train_sweep",
    "status": "neurorl.lab.cli.sweeps:tell_status",
    "compare": "neurorl.lab.cli.runs:compare_groups",
    "watch": "neurorl.lab.cli.runs:film",
    "zoo": "neurorl.lab.cli.runs:list_zoo",
    "export": "neurorl.lab.cli.runs:export",
    "import": "neurorl.lab.cli.runs:import_folder",
    "backends": "neurorl.doctor.cli:list_backends",
    "bench": "neurorl.bench.cli:bench",
    "doctor": "neurorl.doctor.cli:doctor",
    "completion": "neurorl.cli.completion:complete",
}
"""Map each command to the place of what has the names of `_HAS`."""
_HAS = ("HELP", "add_arguments", "run")


@exit_status("neurorl")
def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_all(arguments)
    status: int | None = options.command(options)
    return status or 0


def _parser() -> Parser:
    parser = Parser(
        prog="neurorl",
        description="Train spiking agents with reward; run them on Brian2 or Loihi's emulator.",
    )
    parser.add_argument("--version", action="version", version=f"neurorl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, found in _commands():
        command = commands.add_parser(name, help=found.HELP)
        found.add_arguments(command)
        command.set_defaults(command=found.run, name_of_command=name, parsers=parser.commands)
        parser.commands[name] = command
    return parser


def _commands() -> Iterator[tuple[str, Command]]:
    """Yield all commands by name; others' can't take a name of the library's."""
    yield from ((name, pkgutil.resolve_name(place)) for name, place in _COMMANDS.items())
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name not in _COMMANDS:
            yield point.name, _loaded(point)


def _loaded(point: importlib.metadata.EntryPoint) -> Command:
    """Return another distribution's command, or one that says what is wrong with it.

    So it breaks no other command.
    """
    try:
        loaded: Command = point.load()
        lacking = [name for name in _HAS if not hasattr(loaded, name)]
        problem = f"has no {', '.join(lacking)}" if lacking else ""
    except Exception as exc:  # whatever a stranger's module raises
        problem = f"doesn't import: {one_line(exc)}"
    if not problem:
        return loaded
    of = "its distribution" if point.dist is None else point.dist.name

    def refuse(_: argparse.Namespace) -> int:
        where, remedy = f"command {point.name}", f"pip install --upgrade {of}"
        raise UnsupportedError(where, f"{point.value} {problem}", remedy=remedy)

    return Command(f"of {of}; {problem}", lambda parser: None, refuse)
