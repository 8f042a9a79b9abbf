"""Test what is built on the other promised versions, each in an environment of its own.

The sdist is built, the wheel from it, and that is installed; a short suite runs in the unpacked
sdist, from which the packages are taken away, so that nothing of the checkout can be imported.

python scripts/test_versions.py              all of VERSIONS that this machine has a Python for
python scripts/test_versions.py --list       only say which
python scripts/test_versions.py --prepare    only make their environments, side by side
Environments are kept in .venvs/ and made again when setup.cfg changes; into one that is kept only
another sdist is installed again. What is missing here is named, and fails with --strict. Exit
status 1 if a suite failed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".venvs"


@dataclass(frozen=True)
class Version:
    """Name a version. pythons: the first of these that is there. numpy: what pip is asked for."""

    name: str
    pythons: tuple[str, ...]
    numpy: str

    @property
    def is_this(self) -> bool:
        """Return whether it is the environment of this script, for which pip took the newest."""
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        return running in self.pythons and "==" not in self.numpy


VERSIONS = (
    Version("the oldest NumPy", ("3.11",), "numpy==1.26.*"),
    Version("the newest NumPy that Brian2 2.9 takes", ("3.11",), "numpy<2.4"),
    Version("Brian2 2.10 or later, the newest NumPy", ("3.13", "3.12"), "numpy"),
)
MADE = (
    *("build", "dist", "neurorl.egg-info", "docs/_build", "docs/catalogue", "docs/gallery"),
    *("docs/jupyter_execute", "docs/sg_execution_times.rst"),
)
SAVED_IN = ("examples/gallery", "docs/notebooks")
SUITE = (
    "neurorl.testing.contract.test_contract",
    "tests/backends/loihi/test_chip_networks.py",
    "tests/cli/test_cli.py",
    "tests/backends/loihi/test_loihi_emulator.py",
    "tests/backends/loihi/test_loihi_hardware.py",
    "tests/project/test_quiet.py",
    "tests/project/test_readme.py",
    "tests/witness/test_brian2_loihi.py",
)
# Compiling by Cython takes as long as all others.
SHORT = ("-m", "not slow", "-k", "not cython")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument(
        "--strict", action="store_true", help="a Python that is missing is a failure"
    )
    arguments = parser.parse_args()
    wanted, missing = choose()
    if arguments.list or not wanted:
        return int(arguments.strict and missing > 0)
    with tempfile.TemporaryDirectory() as out, ThreadPoolExecutor(len(wanted)) as pool:
        sdist = build_sdist(Path(out))
        owns = list(pool.map(environment, wanted, wanted.values(), repeat(sdist)))
    failed = 0 if arguments.prepare else sum(run(own) for own in owns)
    return int(failed > 0 or (arguments.strict and missing > 0))


def choose() -> tuple[dict[Version, Path], int]:
    """Return what is to run with which Python, and how many have none; print a line for each."""
    wanted: dict[Version, Path] = {}
    missing = 0
    for version in VERSIONS:
        python = find_python(version.pythons)
        if python is None:
            named = " or ".join(version.pythons)
            print(f"SKIPPED {version.name}: this machine has no Python {named}", flush=True)
            missing += 1
        elif version.is_this:
            print(f"NOT AGAIN {version.name}: that is what `make test` ran", flush=True)
        else:
            print(f"{version.name}: {python}, {version.numpy}", flush=True)
            wanted[version] = python
    return wanted, missing


def find_python(versions: tuple[str, ...]) -> Path | None:
    """Return the first of these interpreters that runs: on PATH, or one of pyenv's."""
    for version in versions:
        for candidate in candidates(version):
            if candidate.is_file() and version_of(candidate) == version:
                return candidate
    return None


def candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield Path(folder) / f"python{version}"
        yield Path(folder) / "python3"
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def version_of(python: Path) -> str | None:
    """Return its version as ``3.11``; None if it doesn't run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def run(own: Path) -> bool:
    """Run the suite by this interpreter; return whether it failed."""
    shown = "import brian2, nengo, numpy, sys; print('Python', sys.version.split()[0],"
    shown += (
        " 'NumPy', numpy.__version__, 'Brian2', brian2.__version__, 'nengo', nengo.__version__)"
    )
    shown += "; import neurorl; print(neurorl.__version__, neurorl.__file__, flush=True)"
    subprocess.run([own, "-W", "ignore", "-c", shown], cwd=own.parent, check=True)
    command = [str(own), "-m", "pytest", "-q", "-n", "auto", *SHORT, "-p", "no:cacheprovider"]
    tests = own.parents[1] / "tests"
    return subprocess.run([*command, "--pyargs", *SUITE], cwd=tests, check=False).returncode != 0


def environment(version: Version, python: Path, sdist: Path) -> Path:
    """Return the interpreter of an environment with the package and what its tests need."""
    text = (ROOT / "setup.cfg").read_text() + version.numpy + str(python)
    folder = KEPT / hashlib.sha256(text.encode()).hexdigest()[:12]
    own, complete, digest = folder / "bin" / "python", folder / "complete", digest_of(sdist)
    pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-compile"]  # as the Makefile does
    if not complete.exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([*pip, f"neurorl[test] @ {sdist.as_uri()}", version.numpy], check=True)
        compile_modules(own, folder)
    elif complete.read_text() != digest:
        complete.unlink()
        subprocess.run([*pip, "--no-deps", "--force-reinstall", str(sdist)], check=True)
    complete.write_text(digest)
    unpack_tests(sdist, folder / "tests")
    return own


def compile_modules(own: Path, folder: Path) -> None:
    """Compile all modules but large ones of which little is imported; those compile when they are.

    A module that isn't for this version of Python fails, and is never imported.
    """
    command = [str(own), "-m", "compileall", "-qq", "-x", "/(sympy|scipy|tests?)/"]
    subprocess.run([*command, str(folder / "lib")], check=False)


def digest_of(sdist: Path) -> str:
    """Return a digest of the names and contents of its files."""
    digest = hashlib.sha256()
    with tarfile.open(sdist) as archive:
        for member in sorted(archive.getmembers(), key=lambda each: each.name):
            file = archive.extractfile(member) if member.isfile() else None
            data = b"" if file is None else file.read()
            digest.update(f"{member.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def build_sdist(out: Path) -> Path:
    """Build the sdist of the checkout, by the interpreter that runs this.

    It is built of a copy, as pip and Sphinx may be writing into the checkout.
    """
    program = f"from setuptools import build_meta as b; b.build_sdist({str(out)!r})"
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(ROOT, Path(folder) / "copy", symlinks=True, ignore=not_copied)
        subprocess.run([sys.executable, "-c", program], cwd=copy, check=True, capture_output=True)
    (sdist,) = out.glob("*.tar.gz")
    return sdist


def not_copied(folder: str, names: list[str]) -> set[str]:
    """Return which names of a folder of the checkout are no sources."""
    here = Path(folder).relative_to(ROOT)
    left_out = {name for name in names if str(here / name) in MADE}
    left_out |= {name for name in names if name.startswith(".") or name == "__pycache__"}
    if str(here) in SAVED_IN:
        left_out |= {name for name in names if name.endswith((".npz", ".nir"))}
    return left_out


def unpack_tests(sdist: Path, target: Path) -> None:
    """Unpack all but the packages, so that tests can only import what is installed."""
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (top,) = Path(folder).iterdir()
        shutil.rmtree(top / "neurorl")
        shutil.move(top, target)


if __name__ == "__main__":
    sys.exit(main())
