"""The disk is full, read-only or forbidden: one line, and what was there is whole."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacker import Attack, Attacker, Outcome, hashes

GRID = "neurorl/GridWorld-v0"
SMALL = {"actors": 2, "hidden": 2}
NOBODY = 65534


@pytest.fixture(scope="module")
def attacker() -> Iterator[Attacker]:
    with Attacker(["neurorl.lab.compare", "neurorl.nir", "neurorl.backends.loihi"]) as started:
        yield started


@pytest.fixture(scope="module")
def whole(attacker: Attacker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two runs that nobody disturbed."""
    folder = tmp_path_factory.mktemp("disk") / "whole"
    assert attacker.run(training(folder)).status == 0
    return folder


def training(folder: Path, resume: bool = False, **options: Any) -> Attack:
    runs = [[seed, str(folder / f"seed{seed}")] for seed in (3, 4)]
    new = {} if resume else {"overrides": SMALL}
    given = {"env": GRID, "runs": runs, "episodes": 3, "resume": resume, **new}
    return Attack("train", given, str(folder), **options)


def is_one_line(found: Outcome, error: int) -> bool:
    """Return whether it ended as it must, saying what the system said and what helps."""
    return (
        found.status == 2
        and found.said.count("\n") == 1
        and os.strerror(error) in found.said
        and ";" in found.said
    )


def finish(attacker: Attacker, folder: Path) -> None:
    """Go on as the line says, with room again."""
    begun = any((folder / f"seed{seed}" / "config.json").exists() for seed in (3, 4))
    last = attacker.run(training(folder, resume=begun))
    assert last.status == 0, last.said


def same(folder: Path, whole: Path) -> bool:
    runs = ("seed3", "seed4")
    return all(hashes(folder / run) == hashes(whole / run) for run in runs)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("apart", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_refused_from_each_write_on(
    error: int,
    apart: int,
    attacker: Attacker,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = attacker.run(training(tmp_path / "counted")).events
    lines = 0
    for event in range(1, events + 1, apart):
        folder = tmp_path / f"{event}"
        found = attacker.run(training(folder, refuse_at=event, error=error))
        if found.status == 0:  # nothing was left but to remove the locks, which may stay then
            assert event > events - 4
            for lock in folder.glob("*/.lock"):
                lock.unlink()
        else:
            assert is_one_line(found, error), found
            lines += 1
            finish(attacker, folder)
        assert same(folder, whole)
    with capsys.disabled():
        print(f"\n{os.strerror(error)}: {events} events, {lines} lines, 0 differences")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_refused_from_each_write_on_of_a_resume(
    error: int, attacker: Attacker, whole: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    events = attacker.run(training(tmp_path / "counted")).events
    attacker.run(training(begun, kill_at=events // 2))
    for event in (1, 2, 4, 8, 21):
        folder = tmp_path / f"{event}"
        shutil.copytree(begun, folder)
        before = {p: p.read_bytes() for p in folder.rglob("checkpoint.npz")}
        found = attacker.run(training(folder, resume=True, refuse_at=event, error=error))
        assert is_one_line(found, error), found
        if event < 5:
            assert {p: p.read_bytes() for p in folder.rglob("checkpoint.npz")} == before
        finish(attacker, folder)
        assert same(folder, whole)


@pytest.mark.parametrize("size", [1, 1000, 5000])
def test_a_limit_on_the_size_of_files(
    size: int, attacker: Attacker, whole: Path, tmp_path: Path
) -> None:
    """Here write fails, in the middle of a file."""
    found = attacker.run(training(tmp_path / "run", file_size=size))
    assert is_one_line(found, errno.EFBIG), found
    assert "ulimit -f" in found.said
    finish(attacker, tmp_path / "run")
    assert same(tmp_path / "run", whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 192 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can't be mounted here: needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_and_is_emptied(
    small_disk: Path, attacker: Attacker, whole: Path
) -> None:
    run = small_disk / "run"
    for room in (1, 5000, 12000, 24000, 40000, 60000):
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
        found = attacker.run(training(run, resume=any(run.glob("*/config.json"))))
        if found.status:
            assert is_one_line(found, errno.ENOSPC), found
        ballast.unlink()
    finish(attacker, run)
    assert same(run, whole)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
def test_a_folder_of_somebody_else(attacker: Attacker, whole: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        shutil.copytree(whole, folder)
        for path in (Path(name), folder, *folder.iterdir()):
            path.chmod(0o755)
        before = {p: p.read_bytes() for p in folder.rglob("*.*")}
        longer = training(folder, resume=True, user=NOBODY)
        found = attacker.run(longer)
        assert is_one_line(found, errno.EACCES), found
        assert "let its folder be written" in found.said
        assert {p: p.read_bytes() for p in folder.rglob("*.*")} == before


def writers(folder: Path, run: Path) -> dict[str, Attack]:
    """Return whatever else writes a file, each to ``folder/out``."""
    out = str(folder / "out")

    few = ("--backends", "reference:loihi,loihi", "--steps", "20")

    def command(*arguments: str) -> Attack:
        return Attack("command", {"arguments": list(arguments)}, str(folder))

    return {
        "plot": command("plot", str(run), "--out", f"{out}.png"),
        "report": command("validate", "lif", *few, "--report", f"{out}.html"),
        "save": Attack("save", {"path": f"{out}.npz"}, str(folder)),
        "nir": Attack("write_nir", {"path": f"{out}.nir"}, str(folder)),
    }


@pytest.mark.parametrize("name", list(writers(Path(), Path())))
def test_every_other_writer(name: str, attacker: Attacker, whole: Path, tmp_path: Path) -> None:
    if name == "nir":
        pytest.importorskip("nir", reason="nir is not installed: pip install 'neurorl[nir]'")
    attack = writers(tmp_path, whole / "seed3")[name]
    assert attacker.run(attack).status == 0
    (out,) = tmp_path.iterdir()
    before = out.read_bytes()
    for error in (errno.ENOSPC, errno.EROFS):
        for event in (1, 2, 3):
            refused = Attack(attack.call, attack.options, str(tmp_path), 0, event, error)
            assert is_one_line(attacker.run(refused), error)
            assert out.read_bytes() == before
        if error == errno.ENOSPC:
            assert [path.name for path in tmp_path.iterdir()] == [out.name]
    limited = Attack(attack.call, attack.options, file_size=64)
    assert is_one_line(attacker.run(limited), errno.EFBIG)
    assert out.read_bytes() == before
    gone = Attack(attack.call, {**attack.options, **elsewhere(attack, tmp_path)})
    assert is_one_line(attacker.run(gone), errno.ENOENT)
    assert not (tmp_path / "nothing").exists()


def elsewhere(attack: Attack, tmp_path: Path) -> dict[str, Any]:
    """Return options with which it writes to a folder that isn't there."""
    place = str(tmp_path / "nothing" / "out")

    def moved(text: str) -> str:
        return text.replace(str(tmp_path / "out"), place)

    options = attack.options
    if "path" in options:
        return {"path": moved(options["path"])}
    return {"arguments": [moved(word) for word in options["arguments"]]}
