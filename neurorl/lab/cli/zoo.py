"""List the pretrained agents, or print the card of one (``neurorl zoo``)."""

from __future__ import annotations

import argparse
import dataclasses
import json

from neurorl.cli.output import cell

HELP = "list the pretrained agents, which stand as zoo:NAME for a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="print the card of this one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.storage.zoo import ON_CHIP, PREFIX, agents, find

    listed = agents()
    if arguments.name is not None:
        folder = find(arguments.name)
        if arguments.json:
            print(json.dumps(dataclasses.asdict(listed[folder.name])))
        else:
            print((folder / "README.md").read_text().partition("\n---\n")[2].strip())
        return 0
    if arguments.json:
        print(json.dumps({"rows": [dataclasses.asdict(agent) for agent in listed.values()]}))
        return 0
    rows = [("agent", "task", "network, rule", "learned in", "return", "on Loihi", "backends")]
    for name, agent in listed.items():
        own, chip = next(iter(agent.returns.values())), agent.returns[ON_CHIP]
        rule = f"{agent.model}, {agent.rule}"
        figures = (cell(own), cell(chip), agent.verdict or "-")
        rows.append((PREFIX + name, agent.env, rule, agent.arithmetic, *figures))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0
