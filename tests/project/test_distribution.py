"""Test what is built: the sdist has what its pages name, the wheel all packages and types.

No build needs a network: setuptools is here, and what is built is unpacked beside the packages of
this interpreter.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

import neurorl

ROOT = Path(__file__).parents[2]
SOURCES = ("neurorl", "docs", "examples", "paper", "recipe", "results", "scripts", "tests")
USER = """\
from neurorl import Network, SpikingActorCritic, load
from neurorl.backends.base import Backend
from neurorl.models import CubaLIF

def make(network: Network) -> Backend:
    return load("reference", network)

reveal_type(SpikingActorCritic("CartPole-v1", seed=1))
reveal_type(CubaLIF())
"""


def copy_checkout(target: Path) -> Path:
    """Copy the checkout without what is ignored there; links stay links."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    target.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=ignored)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, target)
    return target


def build(source: Path, kind: str, out: Path) -> Path:
    """Build an ``sdist``, ``wheel`` or ``editable`` in a process of its own."""
    program = f"from setuptools import build_meta as b; b.build_{kind}({str(out)!r})"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("checkout") / "neurorl")


@pytest.fixture(scope="module")
def unpacked(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(checkout, "sdist", folder / "dist")) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.glob("neurorl-*")
    return top


def wheel_names(source: Path, out: Path) -> set[str]:
    with zipfile.ZipFile(build(source, "wheel", out)) as wheel:
        return set(wheel.namelist())


def modules(folder: Path) -> set[str]:
    return {str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*.py")}


def made() -> list[str]:
    """List the patterns of files under docs and examples that the site and its programs make."""
    patterns = []
    for line in (ROOT / "MANIFEST.in").read_text().splitlines():
        command, *words = line.split()
        if command == "prune":
            patterns.append(f"{words[0]}/*")
        elif command == "exclude":
            patterns += words
        elif command == "recursive-exclude":
            patterns += [f"{words[0]}/{pattern}" for pattern in words[1:]]
    return patterns


def test_only_what_git_ignores_is_left_out_of_the_sdist() -> None:
    if not (ROOT / ".gitignore").is_file():
        pytest.skip("an sdist has no .gitignore")
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {pattern.removesuffix("*") for pattern in made() if pattern.endswith("/*")} <= {*ignored}
    assert {pattern for pattern in made() if not pattern.endswith("/*")} <= {*ignored}


def test_the_sdist_has_the_pages_and_what_they_are_made_of(unpacked: Path) -> None:
    for name in (
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "Dockerfile",
        ".dockerignore",
        "REPRODUCING.md",
        "setup.cfg",
    ):
        assert (unpacked / name).is_file(), name
    for folder in ("docs", "results", "scripts", "tests", "examples", "paper", "recipe"):
        here = {str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*") if p.is_file()}
        kept = {name for name in here if "/__pycache__/" not in name and "/." not in name}
        kept -= {name for name in kept for pattern in made() if fnmatch(name, pattern)}
        assert {name for name in kept if not (unpacked / name).is_file()} == set(), folder


def test_the_wheel_of_the_sdist_is_that_of_the_checkout(
    checkout: Path, unpacked: Path, tmp_path: Path
) -> None:
    names = wheel_names(unpacked, tmp_path / "second")
    assert names == wheel_names(checkout, tmp_path / "first")
    ours = {n for n in names if n.endswith(".py")}
    assert ours == modules(Path("neurorl"))
    for data in ("neurorl/py.typed", "neurorl/bench/floor.c", "neurorl/native/src/kernels.cpp"):
        assert data in names
    for data in ("native/src/engine.h", "native/src/engine.cpp"):
        assert f"neurorl/backends/{data}" in names


@pytest.mark.parametrize("kind", [pytest.param("wheel", marks=pytest.mark.slow), "editable"])
def test_another_project_sees_the_types(kind: str, checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="a type checker comes with the extra dev")
    venv, other = tmp_path / "venv", tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    with zipfile.ZipFile(build(checkout, kind, tmp_path / "dist")) as wheel:
        wheel.extractall(site)
    (site / "base.pth").write_text("\n".join(path for path in sys.path if "-packages" in path))
    if kind == "editable":
        assert (
            site / f"__editable__.neurorl-{neurorl.__version__}.pth"
        ).read_text().strip() == str(checkout)
    other.mkdir()
    (other / "user.py").write_text(USER)
    options = ["--strict", "--cache-dir", str(tmp_path / "cache")]
    options += ["--python-executable", str(venv / "bin" / "python")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "user.py"],
        cwd=other,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Revealed type is "neurorl.agents.local.SpikingActorCritic"' in done.stdout
    assert 'Revealed type is "neurorl.models.neurons.leaky.CubaLIF"' in done.stdout


def test_the_version_is_from_one_place() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {neurorl.__version__}\n" in citation
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == neurorl.__version__
    others = [ROOT / "setup.cfg", ROOT / "pyproject.toml", ROOT / "docs" / "conf.py"]
    assert not any(f'"{neurorl.__version__}"' in file.read_text() for file in others)


def test_the_project_says_how_to_take_part() -> None:
    for name in ("CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CITATION.cff", "LICENSE"):
        assert (ROOT / name).stat().st_size > 500, name
