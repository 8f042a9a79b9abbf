"""Write the parts that pages of neurons and of rules have in common."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from matplotlib.figure import Figure

from neurorl.backends.registry import BACKENDS, backend_class
from neurorl.network.description import Network

_PARAMETER = re.compile(r"(\w+(?:, \w+)*): (.*)")
_DOI = re.compile(r"\bdoi\s+(10\.\d{4,}/[^\s,;)]+[^\s,;).])")
_ARXIV = re.compile(r"\barXiv:(\d{4}\.\d{4,5})")
_ROLE = re.compile(r"(?<!`)`(?:neurorl\.)?([\w.]+)`(?!`)")


class Page:
    """Collect the parts of a page. name: of its file; title: its heading."""

    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.parts = [f"# {title}"]

    def add(self, *parts: str) -> None:
        """Add paragraphs."""
        self.parts += parts

    def show(self, folder: Path, figure: Figure, what: str) -> None:
        """Save a figure beside the page, and show it."""
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{self.name}.png", dpi=110)
        self.add(f"![{what}]({self.name}.png)")

    def write(self, folder: Path) -> None:
        """Write it into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.md").write_text("\n\n".join(self.parts) + "\n")


def equations(lines: Iterable[str]) -> str:
    """Return lines of LaTeX, aligned at their ``&``, as one formula."""
    body = " \\\\\n".join(lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in lines
    )


def below_constant(module: ModuleType, name: str) -> str:
    """Return the docstring below a constant of a module."""
    for before, statement in itertools.pairwise(ast.parse(inspect.getsource(module)).body):
        match before, statement:
            case ast.Assign(targets=[ast.Name(id=found)]), ast.Expr(ast.Constant(str() as text)):
                if found == name:
                    return inspect.cleandoc(text)
    raise LookupError(name)


def cleaned(docstring: str) -> str:
    """Return a docstring as Markdown: identifiers of papers are links, names are code."""
    text = _DOI.sub(r"[doi](https://doi.org/\1)", docstring)
    text = _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    return _ROLE.sub(r"`\1`", text)


def described(docstring: str) -> tuple[list[str], dict[str, str]]:
    """Return the paragraphs of a docstring, and its lines ``name: what it is`` by name."""
    prose: list[str] = []
    names: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", docstring.strip()):
        rows = [row.strip() for row in block.split("\n")]
        if _PARAMETER.fullmatch(rows[0]) and not rows[0].startswith("Source"):
            last: Sequence[str] = ()
            for row in rows:
                found = _PARAMETER.fullmatch(row)
                if found:
                    last = found[1].split(", ")
                    names |= dict.fromkeys(last, found[2])
                else:
                    names |= {name: f"{names[name]} {row}" for name in last}
        else:
            prose.append(block)
    return prose, names


def where_networks_run(network: Network) -> str:
    """Return a table of the library's backends that run *network*, in each arithmetic."""
    rows, arithmetics = [], ("float", "loihi")
    for name, info in BACKENDS.items():
        if not {*arithmetics} & {*info.arithmetics}:
            continue
        cells = [f"`{name}`"]
        for arithmetic in arithmetics:
            problems = backend_class(name).problems(network, arithmetic)
            why = problems[0].partition(" (")[0] if problems else ""
            cells.append(f"no: {why}" if why else "yes")
        rows.append(cells)
    return table(("backend", "float", "chip integers"), rows)
