"""scripts/release.py writes version and date, commits and tags, or changes nothing at all."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from load_script import load_script

ROOT = Path(__file__).parents[2]
CHANGES = """# Changelog

## 0.3.0 (unreleased)

### Added
- A rule.

## 0.2.0 (2026-01-02)

- All.
"""


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script for a clone of a small repository, with the files that it changes."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "a tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
    script = load_script("release")
    origin = tmp_path / "origin"
    for place in script.PLACES:
        (origin / place.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place.file, origin / place.file)
    (origin / "CHANGELOG.md").write_text(CHANGES)
    for words in ("init -q", "add .", "commit -qm First", "tag v0.2.0", f"clone -q . {tmp_path}/c"):
        subprocess.run(["git", *words.split()], cwd=origin, check=True)
    monkeypatch.setattr(script, "ROOT", tmp_path / "c")
    return script


def state(release: ModuleType) -> list[str]:
    """Return commits, tags and what isn't committed."""
    return [release.git(*words.split()) for words in ("log --format=%s", "tag", "status --short")]


def test_a_version_is_written_committed_and_tagged(release: ModuleType) -> None:
    assert release.main(["0.3.0"]) == 0
    assert state(release) == ["Release 0.3.0\nFirst", "v0.2.0\nv0.3.0", ""]
    assert release.git("rev-parse", "v0.3.0^{commit}") == release.git("rev-parse", "HEAD")
    assert '__version__ = "0.3.0"\n' in (release.ROOT / "neurorl" / "_version.py").read_text()
    citation = yaml.safe_load((release.ROOT / "CITATION.cff").read_text())
    assert citation["version"] == "0.3.0"
    date = citation["date-released"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", date)
    changed = CHANGES.replace("(unreleased)", f"({date})")
    assert (release.ROOT / "CHANGELOG.md").read_text() == changed


def test_a_second_version_replaces_the_first_and_nothing_is_pushed(release: ModuleType) -> None:
    assert release.main(["0.3.0"]) == 0
    changes = (release.ROOT / "CHANGELOG.md").read_text()
    new = "## Unreleased\n\n- A fix.\n\n## 0.3.0"
    (release.ROOT / "CHANGELOG.md").write_text(changes.replace("## 0.3.0", new))
    release.git("commit", "-qam", "Mend")
    assert release.main(["0.3.1"]) == 0
    citation = (release.ROOT / "CITATION.cff").read_text()
    assert citation.count("date-released") == 1
    assert "\nversion: 0.3.1\n" in citation
    assert "v0.3" not in release.git("ls-remote", "origin")


def test_a_dry_run_prints_and_changes_nothing(
    release: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(release)
    assert release.main(["0.3.0", "--dry-run"]) == 0
    assert state(release) == before
    out = capsys.readouterr().out
    assert "-## 0.3.0 (unreleased)\n+## 0.3.0 (20" in out
    assert '+__version__ = "0.3.0"\n' in out
    assert "git tag --annotate" in out


@pytest.mark.parametrize(
    ("version", "changes", "said"),
    [
        ("0.3", CHANGES, "VERSION: is none (got 0.3, limit such as 1.2.3)"),
        ("0.03.0", CHANGES, "VERSION: is none"),
        ("0.2.0", CHANGES, "VERSION: is no new one (got 0.2.0, limit above 0.2.0"),
        ("0.3.0", CHANGES.replace("unrel", "rel"), "CHANGELOG.md: needs one section"),
        ("0.3.0", CHANGES.replace("- A rule.", ""), "CHANGELOG.md: needs one section"),
        ("0.3.0", CHANGES.replace("2026-01-02", "unreleased"), "(got 2)"),
    ],
    ids=["two numbers", "a nought", "tagged", "no section", "no change", "two sections"],
)
def test_what_is_not_ready_is_one_line_and_changes_nothing(
    version: str,
    changes: str,
    said: str,
    release: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (release.ROOT / "CHANGELOG.md").write_text(changes)
    if changes != CHANGES:
        release.git("commit", "-qam", "Change")
    before = state(release)
    assert release.main([version]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("release: ")
    assert said in line
    assert state(release) == before


def test_what_is_not_committed_is_named(
    release: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (release.ROOT / "new.txt").write_text("")
    assert release.main(["0.3.0"]) == 2
    assert "got ?? new.txt" in capsys.readouterr().err
    assert state(release) == ["First", "v0.2.0", "?? new.txt"]


def test_the_checkout_has_every_place() -> None:
    """Held for the next release; after one, the changelog has no unreleased section."""
    script = load_script("release")
    for place in script.PLACES:
        if place.file != "CHANGELOG.md":
            assert re.search(place.pattern, (ROOT / place.file).read_text(), re.MULTILINE)
