"""Make the pretrained agents that come with neurorl, their cards and the table of docs/zoo.md.

    python scripts/zoo.py [--only cartpole-lif,gridworld-lif]

Runs stay in --out: what is there isn't trained again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments import zoo
from experiments.markup import put_between
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.storage.reading import FilePlace
from neurorl.storage.zoo import AGENTS, ZooAgent

ROOT = Path(__file__).parents[1]


@exit_status("zoo", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Make them, and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAMES", help="agents, with commas")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("runs/zoo"))
    parser.add_argument("--agents", type=Path, metavar="DIR", default=AGENTS)
    parser.add_argument("--page", type=Path, metavar="FILE", default=ROOT / "docs" / "zoo.md")
    options = parser.parse_args(arguments)
    file = options.agents.parent / "agents.json"
    listed = _listed(file)
    for recipe in zoo.chosen(options.only.split(",") if options.only else None):
        made = zoo.make(recipe, ROOT / "results", options.out, options.agents)
        listed[made.name] = made
        ordered = [listed[each.name] for each in zoo.RECIPES if each.name in listed]
        zoo.write_list(ordered, file)
        put_between(options.page, "zoo", zoo.write_page(ordered))
        show(f"{made.name}: {dict(made.returns)}, {made.verdict}")
    return 0


def _listed(file: Path) -> dict[str, ZooAgent]:
    """Return what is listed already."""
    if not file.exists():
        return {}
    place = FilePlace(f"file {file}")
    data = json.loads(file.read_text())["agents"]
    return {each["name"]: ZooAgent.from_dict(each, place) for each in data}


if __name__ == "__main__":
    raise SystemExit(main())
