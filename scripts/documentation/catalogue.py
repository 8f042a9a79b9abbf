"""Write the pages of all neurons and rules, and a list of each."""

from __future__ import annotations

import shutil
from pathlib import Path

from documentation import neuron_pages, rule_pages
from documentation.pages import described, table

_NEURONS = """# Every neuron

Made from `neurorl.models` when the site is built: each with its equations, parameters
and answer. Neurons of your own are [equations](../../neurons.md).
"""
_RULES = """# Every rule

Made from `neurorl.rules` when the site is built: each with its equation, what it
needs, and its response. [The rules and what they are for](../../theory.md) compares them;
[a rule of your own](../../rules.md#a-rule-of-your-own) is a line of text.
"""


def write_catalogue(folder: Path) -> None:
    """Write ``neurons/`` and ``rules/`` into *folder*, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    neurons = {
        name: neuron_pages.docstring(name, neuron)
        for name, neuron in neuron_pages.neurons().items()
    }
    rules = {name: rule_pages.docstring(rule) for name, rule in rule_pages.rules().items()}
    neuron_pages.write_pages(folder / "neurons")
    rule_pages.write_pages(folder / "rules")
    for kind, head, said in (("neurons", _NEURONS, neurons), ("rules", _RULES, rules)):
        rows = [
            (f"[{name}]({name}.md)", described(text)[0][0].splitlines()[0])
            for name, text in said.items()
        ]
        names = "\n".join(said)
        menu = f"```{{toctree}}\n:hidden:\n\n{names}\n```"
        text = "\n".join((head, table((kind[:-1], "what it does"), rows), "", menu, ""))
        (folder / kind / "index.md").write_text(text)
