"""Print what a shell needs to complete commands and options (``neurorl completion``)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from neurorl.cli import Parser
from neurorl.cli.options import command


@command("""
print the completion of a shell

shell SHELL bash|zsh|fish  bash, zsh or fish, as in: source <(neurorl completion bash)
""")
def complete(arguments: argparse.Namespace) -> None:
    from neurorl.storage.zoo import agents

    print(_SHELLS[arguments.shell](arguments.parsers, list(agents())), end="")


def _bash(parsers: Mapping[str, Parser], names: list[str]) -> str:
    """Return bash's: options of the command that was named, its names, or else files."""
    cases = "\n".join(
        f'        {name}) options="{" ".join(p.flags)}" ;;' for name, p in parsers.items()
    )
    return f"""\
_neurorl() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" options="" names=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{" ".join(parsers)}" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    case "${{COMP_WORDS[1]}}" in
        zoo) names="{" ".join(names)}" ;;
        completion) names="{" ".join(_SHELLS)}" ;;
    esac
    case "$word" in
        -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "$names" -- "$word") $(compgen -f -- "$word")) ;;
    esac
}}
complete -o filenames -F _neurorl neurorl
"""


def _fish(parsers: Mapping[str, Parser], names: list[str]) -> str:
    """Return fish's, with the help of each option."""
    first = "complete -c neurorl -n __fish_use_subcommand -f"
    lines = [f"{first} -a {name}" for name in parsers]
    for name, parser in parsers.items():
        of_command = f'complete -c neurorl -n "__fish_seen_subcommand_from {name}"'
        for flag, said in parser.flags.items():
            quoted = said.replace("\\", "\\\\").replace("'", "\\'")
            lines.append(f"{of_command} -l {flag.removeprefix('--')} -d '{quoted}'")
    lines.append(f'complete -c neurorl -n "__fish_seen_subcommand_from zoo" -a "{" ".join(names)}"')
    return "\n".join(lines) + "\n"


_SHELLS: dict[str, Callable[[Mapping[str, Parser], list[str]], str]] = {
    "bash": _bash,
    "zsh": lambda *named: "autoload -U +X bashcompinit && bashcompinit\n" + _bash(*named),
    "fish": _fish,
}
