"""A wheel with compiled libraries, installed where there is no compiler, is as quick and equal."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from neurorl.backends.lookup import VARIABLE
from neurorl.native import shipped, toolchain

ROOT = Path(__file__).parents[2]
FILES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
LEVEL = [*shipped.LEVELS.get(platform.machine(), {"": ""})][-1]
ASKED = f"--levels {LEVEL} --only 'CartPole-v1 lif None'"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only wheels for Linux hold libraries"),
    pytest.mark.skipif(not LEVEL, reason="no wheel is made for this kind of processor"),
    pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler"),
    pytest.mark.skipif(not (ROOT / "neurorl").exists(), reason="only a checkout builds wheels"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel with the libraries that CartPole's preset needs, of the plainest processor."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "libraries")
    for folder in ("neurorl", "scripts"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    program = f"from setuptools import build_meta as b; b.build_wheel({str(out)!r})"
    environment = {**os.environ, "NEURORL_COMPILE": ASKED, "PYTHONPATH": ""}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel beside what it depends on; return where its programs are."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "base.pth").write_text("\n".join(path for path in sys.path if "-packages" in path))
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    return venv / "bin"


def train(command: list[str], environment: dict[str, str], out: Path, *words: str) -> str:
    """Train; return what it said on stderr."""
    command = [*command, "train", *words, "--seed", "3", "--out", str(out), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def without_compiler(bin_folder: Path, out: Path, *words: str) -> str:
    environment = {"PATH": str(bin_folder), "XDG_CACHE_HOME": str(out.parent / "cache")}
    assert shutil.which("c++", path=environment["PATH"]) is None
    return train([str(bin_folder / "neurorl")], environment, out, *words)


def learned(out: Path) -> tuple[bytes, bytes]:
    return (out / "checkpoint.npz").read_bytes(), (out / "config.json").read_bytes()


def with_compiler(out: Path, *words: str) -> tuple[bytes, bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: "native"}
    train([sys.executable, "-m", "neurorl"], environment, out, *words)
    return learned(out)


def test_it_is_for_any_python_3_on_this_platform(wheel: Path) -> None:
    assert wheel.name.endswith(f"-py3-none-linux_{platform.machine()}.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    (digests,) = (name for name in names if name.endswith(shipped.DIGESTS))
    assert digests == f"neurorl/native/libraries/{shipped.DIGESTS}"
    folder = digests.removesuffix(shipped.DIGESTS)
    assert {name.removeprefix(folder).split("/")[0] for name in names if "/libraries/" in name} == {
        LEVEL,
        shipped.DIGESTS,
    }
    assert len(names) == len({*names})


def test_a_preset_trains_on_native_without_a_compiler(bin_folder: Path, tmp_path: Path) -> None:
    words, out = ("CartPole-v1", "--episodes", "30"), tmp_path / "without"
    assert without_compiler(bin_folder, out, *words) == ""
    assert json.loads((out / "summary.json").read_text())["backend"] == "native"
    assert not [*tmp_path.rglob("*.so")]  # nothing was compiled
    assert learned(out) == with_compiler(tmp_path / "with", *words)


def test_the_doctor_finds_native_whole_without_a_compiler(bin_folder: Path, tmp_path: Path) -> None:
    environment = {"PATH": str(bin_folder), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [str(bin_folder / "python"), "-m", "neurorl.doctor.trial", "native"]
    out = tmp_path / "problems"
    subprocess.run([*command, str(out)], env=environment, cwd=tmp_path, check=True)
    assert out.read_text() == "null\n" * 3
    assert not [*tmp_path.rglob("*.so")]


def test_a_structure_that_it_has_not_is_slow_says_so_and_equal(
    bin_folder: Path, tmp_path: Path
) -> None:
    words, out = ("CartPole-v1", "--set", "hidden=[3,2]", "--steps", "200"), tmp_path / "without"
    said = without_compiler(bin_folder, out, *words).splitlines()
    assert len(said) == 1
    assert "native isn't taken, so all is slower" in said[0]
    assert learned(out) == with_compiler(tmp_path / "with", *words)
