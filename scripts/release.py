"""Release a version: write it and the date where they stand, commit that, and tag it.

    python scripts/release.py 0.2.0 --dry-run    print what would change
    python scripts/release.py 0.2.0

The unreleased section of CHANGELOG.md becomes the version's. Nothing is pushed: a tag that is
pushed publishes (.github/workflows/wheels.yml). Exit status 2 if the version, the changelog or the
checkout isn't ready; then nothing has changed.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from neurorl.cli.status import exit_status
from neurorl.errors import ArgumentError, RunError, format_message

ROOT = Path(__file__).parents[1]


class Place(NamedTuple):
    """Name a place of the version. file: below the checkout. pattern: of what is replaced.

    text: what comes there, of *version* and *date*. what: the place in words.
    """

    file: str
    pattern: str
    text: str
    what: str


PLACES = (
    Place("neurorl/_version.py", r'^__version__ = ".*"$', '__version__ = "{version}"', "version"),
    Place(
        "CITATION.cff",
        r"^version: .*$(?:\ndate-released: .*$)?",
        'version: {version}\ndate-released: "{date}"',
        "line 'version: ...'",
    ),
    Place("recipe/recipe.yaml", r'^  version: "[^"]*"$', '  version: "{version}"', "version"),
    Place(
        "CHANGELOG.md",
        r"^## (?:\S+ \(unreleased\)|Unreleased)\n(?=(?:(?!## ).*\n)*- )",
        "## {version} ({date})\n",
        "section '## ... (unreleased)' that lists a change",
    ),
)


@exit_status("release")
def main(arguments: list[str] | None = None) -> int:
    """Check, write, commit and tag; print the tag and how it is published."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", metavar="VERSION", help="MAJOR.MINOR.PATCH")
    parser.add_argument("--dry-run", action="store_true", help="print, change nothing")
    options = parser.parse_args(arguments)
    check_version(options.version)
    if changed := git("status", "--porcelain"):
        what = "files that aren't committed"
        raise RunError(format_message("checkout", what, got=changed, remedy="commit them first"))
    texts = dict(released(options.version, f"{datetime.now(UTC):%Y-%m-%d}"))
    tag = f"v{options.version}"
    commands = [
        ("commit", "--quiet", "-m", f"Release {options.version}", "--", *texts),
        ("tag", "--annotate", "-m", f"neurorl {options.version}", tag),
    ]
    if options.dry_run:
        for file, text in texts.items():
            print("\n".join(difference(file, text)))
        print(*(shlex.join(("git", *command)) for command in commands), sep="\n")
        return 0
    for file, text in texts.items():
        (ROOT / file).write_text(text)
    for command in commands:
        git(*command)
    print(f"{tag} is tagged; `git push origin HEAD {tag}` publishes it")
    return 0


def check_version(version: str) -> None:
    """Raise ArgumentError unless *version* has three numbers and is above all that are tagged."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ArgumentError(
            format_message("VERSION", "is none", got=version, limit="such as 1.2.3")
        )
    tags = re.findall(r"^v(\d+\.\d+\.\d+)$", git("tag", "--list"), re.MULTILINE)
    last = max(tags, key=numbers, default="0.0.0")
    if numbers(version) <= numbers(last):
        limit = f"above {last}, the last tag"
        raise ArgumentError(format_message("VERSION", "is no new one", got=version, limit=limit))


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, which compare as versions do."""
    return tuple(int(part) for part in version.split("."))


def released(version: str, date: str) -> Iterator[tuple[str, str]]:
    """Yield each file of `PLACES` with its text as released. Raises RunError if it has no place."""
    for place in PLACES:
        before = (ROOT / place.file).read_text()
        text = place.text.format(version=version, date=date)
        after, found = re.subn(place.pattern, text, before, flags=re.MULTILINE)
        if found != 1:
            what = f"needs one {place.what}"
            raise RunError(format_message(place.file, what, got=found, remedy="write it first"))
        if after != before:
            yield place.file, after


def difference(file: str, text: str) -> Iterator[str]:
    """Yield the lines of a unified difference between *file* and its new *text*."""
    before = (ROOT / file).read_text().splitlines()
    return difflib.unified_diff(before, text.splitlines(), file, file, n=1, lineterm="")


def git(*words: str) -> str:
    """Run git in the checkout and return what it prints. Raises RunError with its own words."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        remedy = "mend it; `git restore .` takes back what is written"
        raise RunError(format_message(f"git {words[0]}", done.stderr.strip(), remedy=remedy))
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
