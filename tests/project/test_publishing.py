"""Test what publishes a release: workflows, forms, the image, the recipe for conda, the wheels."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import neurorl

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
CONDA_NAMES = {"matplotlib-base": "matplotlib"}
"""Name for pip what has another name on conda-forge."""
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
PYTHONS = re.findall(r":: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)
in_checkout = pytest.mark.skipif(not GITHUB.is_dir(), reason="an sdist has no .github")


def workflow(name: str) -> dict[str, dict[str, object]]:
    """Return the jobs of a workflow."""
    jobs: dict[str, dict[str, object]] = yaml.safe_load(
        (GITHUB / "workflows" / f"{name}.yml").read_text()
    )["jobs"]
    return jobs


def steps(job: dict[str, object], key: str) -> list[str]:
    """Return what the steps of a job run (*key* ``run``) or use (``uses``)."""
    listed = job["steps"]
    assert isinstance(listed, list)
    return [step[key] for step in listed if key in step]


def needed(python: str) -> dict[str, SpecifierSet]:
    """Map the packages that setup.cfg asks for on a version of Python to their versions."""
    lines = SETUP["options"]["install_requires"].split("\n")
    asked = [Requirement(line) for line in lines if line.strip()]
    here = {"python_version": python}
    return {r.name: r.specifier for r in asked if r.marker is None or r.marker.evaluate(here)}


def chosen(entries: list[object], python: str) -> Iterator[str]:
    """Yield the packages of a list of the recipe that are taken on a version of Python."""
    for entry in entries:
        if isinstance(entry, dict):
            asked = re.fullmatch(r'match\(python, "(.+)"\)', entry["if"])
            assert asked is not None
            yield from entry["then" if python in SpecifierSet(asked[1]) else "else"]
        else:
            yield str(entry)


@in_checkout
@pytest.mark.parametrize("name", ["ci", "paper", "wheels"])
def test_a_workflow_ends_reads_and_names_versions(name: str) -> None:
    assert name in {path.stem for path in (GITHUB / "workflows").iterdir()}
    text = (GITHUB / "workflows" / f"{name}.yml").read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    for job in workflow(name).values():
        assert isinstance(job["timeout-minutes"], int)
        assert all(re.fullmatch(r"[\w./-]+@[\w./]+", action) for action in steps(job, "uses"))
    paths = {path for listed in re.findall(r"paths: \[(.*)\]", text) for path in listed.split(", ")}
    made = {"setup.py"}  # where what is compiled is said
    assert all(path in made or list(ROOT.glob(path)) for path in paths)


@in_checkout
def test_every_change_runs_what_is_run_at_home() -> None:
    jobs = workflow("ci")
    assert steps(jobs["check"], "run") == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    assert steps(jobs["docs"], "run") == ["make docs"]
    setups = re.findall(r'python-version: "(.+)"', (GITHUB / "workflows" / "ci.yml").read_text())
    assert set(setups) == {PYTHONS[0]}


@in_checkout
def test_a_tag_publishes_wheels_and_sdist_without_a_password() -> None:
    jobs = workflow("wheels")
    matrix = re.findall(r"- arch: (\S+)", (GITHUB / "workflows" / "wheels.yml").read_text())
    assert matrix == ["x86_64", "aarch64"]
    assert jobs["publish"]["needs"] == ["wheels", "sdist"]
    assert "startsWith(github.ref, 'refs/tags/v')" in str(jobs["publish"]["if"])
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert [name for name in jobs if "permissions" in jobs[name]] == ["publish"]
    assert "secrets." not in (GITHUB / "workflows" / "wheels.yml").read_text()


@in_checkout
@pytest.mark.parametrize(("tag", "status"), [(f"v{neurorl.__version__}", 0), ("v99.0.0", 1)])
def test_a_tag_of_another_version_is_refused(tag: str, status: int) -> None:
    (command,) = (
        line for line in steps(workflow("wheels")["sdist"], "run") if "GITHUB_REF" in line
    )
    environment = {**os.environ, "GITHUB_REF_NAME": tag}
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert done.returncode == status


@in_checkout
@pytest.mark.parametrize("name", ["bug", "feature", "question", "backends-disagree"])
def test_a_form_asks_what_its_reader_needs(name: str) -> None:
    text = (GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text()
    form = yaml.safe_load(text)
    assert {"name", "description", "labels", "body"} == set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert any(field.get("validations", {}).get("required") for field in fields)
    assert all((ROOT / page).is_file() for page in re.findall(r"[\w/]+\.md\b", text))


@in_checkout
def test_a_change_is_asked_for_what_contributing_asks() -> None:
    text = (GITHUB / "pull_request_template.md").read_text()
    assert "../CONTRIBUTING.md" in text
    assert all(word in text for word in ("fails without", ".ci/run", "scripts/bits.py"))


def test_wheels_are_built_for_all_versions_of_python() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
    assert table["build"] == [f"cp{version.replace('.', '')}-*" for version in PYTHONS]


def test_the_commands_that_test_a_wheel_run(tmp_path: Path) -> None:
    """Train, play and validate as in a wheel's environment, with the packages of this checkout."""
    programs = str(Path(sys.executable).parent)
    if shutil.which("neurorl", path=programs) is None:
        pytest.skip("needs the command neurorl beside this Python: pip install .")
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    for command in table["test-command"]:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "\nexact: run trained" in done.stdout


def test_the_image_has_a_python_that_is_promised_and_says_what_works() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (version,) = re.findall(r"^FROM python:(\S+)-slim$", text, re.MULTILINE)
    assert version == PYTHONS[-1]
    assert version in SpecifierSet(SETUP["options"]["python_requires"])
    (command,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    assert json.loads(command) == ["neurorl", "doctor"]
    assert text.index("\nUSER ") < text.index("\nCMD ")


def test_the_image_gets_all_that_an_installation_needs(tmp_path: Path) -> None:
    """Build a wheel of what .dockerignore lets in, and of nothing else."""
    first, *let_in = (
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line[0] in "!*" and line != "**/__pycache__"
    )
    assert first == "*"
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for path in (ROOT / name for name in let_in if (ROOT / name).exists()):
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / path.name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(path, source)
    program = f"from setuptools import build_meta as b; b.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=source, check=True, capture_output=True)
    (wheel,) = out.iterdir()
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "neurorl").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        assert here | {"neurorl/py.typed"} <= set(archive.namelist())
        about = f"neurorl-{neurorl.__version__}.dist-info"
        assert b"neurorl = neurorl.cli:main" in archive.read(f"{about}/entry_points.txt")
        text = archive.read(f"{about}/METADATA").decode()
    assert all(f"\nRequires-Dist: {name}" in text for name in needed(PYTHONS[-1]))
    assert (ROOT / "README.md").read_text() in text


def test_the_recipe_is_of_this_version_and_licence() -> None:
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == neurorl.__version__
    assert recipe["about"]["license"] == SETUP["metadata"]["license"]
    assert recipe["about"]["summary"] == SETUP["metadata"]["description"]
    assert recipe["build"]["python"]["entry_points"] == ["neurorl = neurorl.cli:main"]
    skipped = re.findall(r'match\(python, "([^"]+)"\)', str(recipe["build"]["skip"]))
    taken = SpecifierSet(SETUP["options"]["python_requires"])
    for minor in range(8, 20):
        version = f"3.{minor}"
        assert (version in taken) == (not any(version in SpecifierSet(s) for s in skipped))


@pytest.mark.parametrize("python", PYTHONS)
def test_the_recipe_needs_what_setup_needs(python: str) -> None:
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
    lines = chosen(recipe["requirements"]["run"], python)
    found = {}
    for name, _, versions in (line.partition(" ") for line in lines):
        found[CONDA_NAMES.get(name, name)] = SpecifierSet(versions)
    assert found.pop("python") == SpecifierSet()
    assert found == needed(python)
