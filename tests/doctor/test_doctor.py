"""Test the doctor on this installation, and on things that are broken in known ways."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from neurorl.backends.plugins import installed_version
from neurorl.backends.registry import BACKENDS, available_backends, variants
from neurorl.cli import main
from neurorl.doctor import examination
from neurorl.doctor.examination import examine, row, verdict


def test_all_that_is_installed_here_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "neurorl", "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"]) == (0, "ok"), found
    rows = {row["name"]: row for row in found["rows"]}
    for listed in available_backends():
        if listed["available"]:
            for spec in variants(listed["name"]):
                parts = [part for part in (spec.backend, spec.engine, spec.arithmetic) if part]
                assert rows[", ".join(parts)]["status"] == "ok"
    assert {"neurorl", "python", "numpy", "brian2", "nengo-loihi"} <= set(rows)
    assert list(tmp_path.iterdir()) == []


def test_another_neurorl_in_the_current_folder_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "neurorl").mkdir()
    (tmp_path / "neurorl" / "__init__.py").write_text("raise ImportError('another one')")
    monkeypatch.chdir(tmp_path)
    (listed,) = [r for r in available_backends() if r["name"] == "reference"]
    assert {r["status"] for r in examination.backend(listed)} == {"ok"}


def pretend(monkeypatch: pytest.MonkeyPatch, **installed: str | None) -> None:
    """Pretend that these distributions have other versions (None: are missing)."""
    real = installed_version
    monkeypatch.setattr(examination, "installed_version", lambda n: installed.get(n, real(n)))


@pytest.mark.parametrize(
    ("brian2", "numpy", "words"),
    [
        ("2.9.0", "2.4.0", "brian2 2.9 uses what NumPy 2.4 took away"),
        ("2.9.0", "2.5.0rc1", "brian2 2.9 uses what NumPy 2.4 took away"),
        ("2.11.0", "1.26.4", "brian2 2.10 needs NumPy 2.2"),
        ("2.9.0", "2.3.5", None),
        ("2.11.0", "2.4.6", None),
    ],
)
def test_known_combinations(
    brian2: str, numpy: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, brian2=brian2, numpy=numpy)
    found = [r for r in examination.versions() if r["check"] == "combination"]
    assert [r["problem"] for r in found] == ([words] if words else [])
    for r in found:
        assert r["status"] == "broken"
        assert r["name"] == f"brian2 {brian2} with numpy {numpy}"
        assert "pip install" in r["remedy"]


def test_versions_beyond_the_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gymnasium="0.29.1", rich=None)
    rows = {r["name"]: r for r in examination.versions()}
    assert rows["gymnasium"]["status"] == "broken"
    assert rows["gymnasium"]["remedy"] == "pip install 'gymnasium<2,>=1.0'"
    assert rows["rich"]["status"] == "missing"
    assert rows["rich"]["remedy"] == "pip install 'rich>=13'"


@pytest.mark.parametrize(
    ("python", "status"), [("3.10.13", "broken"), ("3.13.0+", "ok"), ("3.14.0rc1", "broken")]
)
def test_pythons(python: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: python)
    monkeypatch.setattr("platform.python_version_tuple", lambda: tuple(python.split(".")))
    rows = {r["name"]: r for r in examination.versions()}
    assert (rows["python"]["found"], rows["python"]["status"]) == (python, status)


def test_a_trial_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has so long for each line that it adds."""
    monkeypatch.setattr(examination, "PATIENCE", 0.2)
    out = tmp_path / "problems"
    out.touch()
    wait = "import time; time.sleep(1000)"
    adds = f"print('null', file=open({str(out)!r}, 'a'), flush=True); {wait}"
    for code in (wait, adds):
        assert "not done after 0.2 s" in examination._wait([sys.executable, "-c", code], out)
    assert examination._wait([sys.executable, "-c", "raise SystemExit(3)"], out).endswith("3")


def test_a_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "c++"
    script.write_text(
        '#!/bin/sh\ncase "$*" in *-v*) exit 0;; esac\necho no\necho room >&2\nexit 1\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    (found,) = examination.compiler()
    assert (found["status"], found["problem"]) == ("broken", "can't compile: no")
    monkeypatch.setenv("CXX", str(tmp_path / "nothing"))
    for found in (*examination.compiler(), *examination.learning_loop()):
        assert found["status"] == "missing"
        assert "C++ compiler" in found["problem"]


def test_a_cache_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "neurorl").mkdir()
    (tmp_path / "neurorl" / "some").write_bytes(bytes(2_000_000))
    assert [(r["status"], r["found"]) for r in examination.cache()] == [("ok", "2.0 MB in 1 files")]
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (found,) = examination.cache()
    assert found["status"] == "note"
    assert "XDG_CACHE_HOME" in found["remedy"]


def test_a_cache_in_which_others_compile_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "user_cache_path", lambda _: tmp_path)
    ended = threading.Event()

    def compile_and_remove() -> None:
        while not ended.is_set():
            folder = tmp_path / "native" / "made"
            folder.mkdir(parents=True, exist_ok=True)
            for name in "abcdefgh":
                (folder / name).write_bytes(b"0")
            shutil.rmtree(folder)

    other = threading.Thread(target=compile_and_remove)
    other.start()
    try:
        for _ in range(300):
            assert [found["status"] for found in examination.cache()] == ["ok"]
    finally:
        ended.set()
        other.join()


def test_a_cache_that_others_can_write_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "neurorl" / "native").mkdir(parents=True)
    (tmp_path / "neurorl" / "native").chmod(0o777)
    (found,) = examination.cache()
    assert found["status"] == "broken"
    assert "native: can be written by other users" in found["problem"]
    assert "chmod" in found["remedy"]


MODULE = """
import os
import numpy as np
from neurorl.backends.reference import ReferenceSimulator

class Odd(ReferenceSimulator):
    name = "odd"

    def step(self, inputs, n_steps):
        out = super().step(inputs, n_steps)
        {action}
"""


@pytest.mark.parametrize(
    ("action", "first", "second"),
    [
        ("return out", None, None),
        ("os._exit(7)", "its process ended with status 7", "not tried"),
        ("raise RuntimeError('of\\nits own')", "of its own", "of its own"),
        ("return {k: ~r for k, r in out.items()}", "its spikes are not", "its spikes are not"),
        ("return {k: r & False for k, r in out.items()}", "are silent", "are silent"),
    ],
    ids=["right", "ends", "raises", "wrong", "silent"],
)
def test_backends_that_fail(
    action: str,
    first: str | None,
    second: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Return a run in float arithmetic, then in those of chips."""
    (tmp_path / "odd.py").write_text(MODULE.format(action=action))
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[neurorl.backends]\nodd = odd:Odd\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    found = list(examination.backend(available_backends()[-1]))
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    assert [(r["name"], r["found"]) for r in found] == [
        ("odd, float", "1.0"),
        ("odd, loihi", "1.0"),
        ("odd, xylo", "1.0"),
    ]
    for r, words in zip(found, (first, second, second), strict=True):
        assert r["status"] == ("broken" if words else "ok")
        assert (words or "") in (r["problem"] or "")


@pytest.mark.parametrize(("distribution", "status"), [("numpy", "broken"), ("nmpy", "missing")])
def test_a_backend_that_does_not_load(distribution: str, status: str) -> None:
    listed = {"name": "odd", "distribution": distribution, "available": False, "remedy": "do"}
    (found,) = examination.backend(listed)
    assert (found["status"], found["remedy"]) == (status, "do")


@pytest.mark.parametrize("is_broken", [False, True])
def test_the_command_says_what_to_do(
    is_broken: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("version", "numpy", "1"), row("version", "torch", None, "missing", "a", "do b")]
    rows += [row("backend", "x", "1", "broken", "c")] if is_broken else []
    monkeypatch.setattr("neurorl.doctor.examination.examine", lambda: rows)
    assert main(["doctor", "--json"]) == int(is_broken)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found == {"verdict": "broken" if is_broken else "ok", "rows": rows}
    assert main(["doctor"]) == int(is_broken)
    shown = capsys.readouterr().out
    assert "missing: version torch: a; do b\n" in shown
    assert ("broken: backend x: c\n" in shown) == is_broken


def test_every_backend_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def note(listed: dict[str, Any]) -> list[dict[str, Any]]:
        asked.append(listed["name"])
        return []

    monkeypatch.setattr("neurorl.doctor.examination.backend", note)
    assert verdict(examine()) == "ok"
    assert asked == list(BACKENDS)
