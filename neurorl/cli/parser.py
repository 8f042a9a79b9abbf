"""Parse words of the command line; a mistake is told in two short lines."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Any, NoReturn

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
