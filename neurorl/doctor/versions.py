"""Check versions of what neurorl needs, and those that are known not to work together."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from neurorl._version import __version__
from neurorl.backends.plugins import installed_version
from neurorl.doctor.rows import Row, row

PYTHONS = SpecifierSet(">=3.11,<3.14")

COMBINATIONS: list[tuple[dict[str, str], str, str]] = [
    (
        {"brian2": "<2.10", "numpy": ">=2.4"},
        "brian2 2.9 uses what NumPy 2.4 took away",
        "pip install 'numpy<2.4', or Python 3.12 and brian2 2.10",
    ),
    (
        {"brian2": ">=2.10", "numpy": "<2.2"},
        "brian2 2.10 needs NumPy 2.2",
        "pip install 'numpy>=2.2'",
    ),
]
"""List versions that are known not to work together, with the reason and the remedy."""

_DEVELOPERS = ("all", "dev", "docs")


def versions() -> list[Row]:
    """Return rows of Python, neurorl, its requirements, its extras, and combinations that fail."""
    python = platform.python_version()
    rows = [row("version", "neurorl", __version__), row("version", "python", python)]
    if ".".join(platform.python_version_tuple()[:2]) not in PYTHONS:
        rows[1] |= {"status": "broken", "problem": f"neurorl needs Python {PYTHONS}"}
        rows[1]["remedy"] = "make an environment with Python 3.13"
    return [*rows, *_requirements(), *_combinations()]


def _requirements() -> list[Row]:
    """Return what neurorl needs, and what its extras do."""
    metadata = importlib.metadata.metadata("neurorl")
    extras = [e for e in metadata.get_all("Provides-Extra") or [] if e not in _DEVELOPERS]
    rows: dict[str, Row] = {}
    for line in importlib.metadata.requires("neurorl") or []:
        needed = Requirement(line)
        for extra in ("", *extras):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                rows.setdefault(needed.name, _requirement(needed, extra))
                break
    return list(rows.values())


def _requirement(needed: Requirement, extra: str) -> Row:
    command = f"pip install 'neurorl[{extra}]'" if extra else f"pip install '{_plain(needed)}'"
    installed = installed_version(needed.name)
    if installed is None:
        return row("version", needed.name, None, "missing", "isn't installed", command)
    if not needed.specifier.contains(installed, prereleases=True):
        what = f"neurorl needs {needed.specifier}"
        return row(
            "version", needed.name, installed, "broken", what, f"pip install '{_plain(needed)}'"
        )
    return row("version", needed.name, installed)


def _plain(needed: Requirement) -> str:
    return f"{needed.name}{needed.specifier}"


def _combinations() -> Iterator[Row]:
    for ranges, why, remedy in COMBINATIONS:
        installed = {name: installed_version(name) for name in ranges}
        wanted = {name: SpecifierSet(wanted, prereleases=True) for name, wanted in ranges.items()}
        if all(v is not None and v in wanted[name] for name, v in installed.items()):
            shown = " with ".join(f"{name} {number}" for name, number in installed.items())
            yield row("combination", shown, None, "broken", why, remedy)
