"""Test compiled code on disk: damaged is built again, others' is refused, kills leave nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurorl.backends.brian2.vendor import exact_preferences
from neurorl.errors import BackendError
from neurorl.native import build, toolchain
from neurorl.native.cache import CompileCache, load_copy

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")

SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of native libraries, empty."""
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache" / "native")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "answer.cpp").write_text(SOURCE)
    return tmp_path / "cache" / "native"


def answer(folder: Path) -> int:
    source = build.CppSource('#include "answer.cpp"', (folder.parents[1] / "src",))
    found: int = build.compiled(source, "answer", "give up").answer()
    return found


def files(folder: Path) -> list[str]:
    """List all that is in the cache but the locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def damages(whole: bytes) -> dict[str, bytes]:
    """Damage a library in every part of its ELF file, cut it off, empty it, or replace it."""
    found = {"empty": b"", "text": b"nothing" * 1000, "half": whole[: len(whole) // 2]}
    for place in range(0, len(whole), len(whole) // 12):
        altered = bytearray(whole)
        altered[place : place + 64] = bytes(64)
        altered[place] ^= 0xFF
        found[f"zeros at {place}"] = bytes(altered)
    return found


def test_a_damaged_library_is_built_again_before_it_is_loaded(folder: Path) -> None:
    assert answer(folder) == 42
    (library,) = folder.glob("*.so")
    whole, names = library.read_bytes(), files(folder)
    for how, damaged in damages(whole).items():
        library.write_bytes(damaged)
        assert answer(folder) == 42, how
        assert library.read_bytes() == whole, how
    for digest in ("", "0" * 64, "\n"):
        library.with_suffix(".sha256").write_text(digest)
        assert answer(folder) == 42
    library.with_suffix(".sha256").unlink()
    assert answer(folder) == 42
    assert files(folder) == names


def test_what_is_whole_is_not_built_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(folder) == 42
    monkeypatch.setattr(build, "build", None)
    assert answer(folder) == 42


def test_the_cache_is_for_the_user_alone_under_any_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        assert answer(folder) == 42
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {(folder / name).stat().st_mode & 0o777 for name in files(folder)} == {0o600}
    assert answer(folder) == 42  # it isn't refused


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_refused(mode: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    with pytest.raises(BackendError, match=r"can be written by other .*chmod.*XDG_CACHE_HOME") as e:
        answer(folder)
    assert str(folder) in str(e.value)
    folder.chmod(0o755)
    assert answer(folder) == 42


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    with pytest.raises(BackendError, match=r"owned by another user .*12345.*XDG_CACHE_HOME"):
        answer(folder)


def test_a_file_that_others_can_write_or_own_is_refused(folder: Path) -> None:
    assert answer(folder) == 42
    for name in files(folder):
        (folder / name).chmod(0o666)
        with pytest.raises(BackendError, match=f"{name}: can be written by other users.*chmod"):
            answer(folder)
        (folder / name).chmod(0o644)
        assert answer(folder) == 42
    if os.geteuid() == 0:
        os.chown(folder / files(folder)[1], 12345, -1)
        with pytest.raises(BackendError, match="owned by another user"):
            answer(folder)


def test_modules_of_cython_are_loaded_from_no_folder_that_others_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with exact_preferences("cython"):
        pass
    folder = tmp_path / "neurorl" / "brian2"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)
    with exact_preferences("numpy"):
        pass
    with pytest.raises(BackendError, match="brian2: can be written by other users"):
        exact_preferences("cython").__enter__()


def test_all_caches_are_one_kind() -> None:
    """Torch's library and the benchmark's floor go through the same checks as the others."""
    root = Path(__file__).parents[2]
    loads = [
        path.relative_to(root).as_posix()
        for folder in ("neurorl", "backends")
        for path in (root / folder).rglob("*.py")
        if "ctypes.CDLL(" in path.read_text().replace("CDLL(None)", "")
    ]
    assert loads == ["neurorl/native/cache.py"]


def test_what_kills_left_is_removed(folder: Path) -> None:
    folder.mkdir(parents=True)
    CompileCache(folder).make()
    (folder / f"{'a' * 32}.abcdefgh").mkdir()  # a compile folder of something else
    (folder / f"{'a' * 32}.abcdefgh" / "library.so").write_bytes(b"half")
    for name in ("loading.abcdefgh.so", "tmpabcdefgh.so", "loading.now.so"):
        (folder / name).write_bytes(b"half")
    old = time.time() - 3600
    for name in ("loading.abcdefgh.so", "tmpabcdefgh.so"):
        os.utime(folder / name, (old, old))
    assert answer(folder) == 42
    (library,) = (path for path in folder.glob("*.so") if "." not in path.stem)
    expected = {library.name, f"{library.stem}.sha256", "loading.now.so"}
    assert set(files(folder)) == expected  # another process may be loading the last one now


def test_of_very_many_libraries_those_used_last_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurorl.native.cache._MOST", 3)
    monkeypatch.setattr("neurorl.native.cache._KEPT", 2)
    cache = CompileCache(folder)

    def build(path: Path) -> None:
        path.write_bytes(b"code")

    for age, name in enumerate("abc"):
        cache.library(name * 32, build)
        os.utime(folder / f"{name * 32}.so", (1000 + age, 1000 + age))
    cache.library("a" * 32, build)  # is there, and so was used last
    cache.library("d" * 32, build)
    assert len(list(folder.glob("*.so"))) == 4  # is looked at before a library is built
    cache.library("e" * 32, build)
    assert sorted(path.stem[0] for path in folder.glob("*.so")) == ["a", "d", "e"]
    assert sorted(path.stem[0] for path in folder.glob("*.sha256")) == ["a", "d", "e"]


def test_what_is_there_is_loaded_without_a_look_at_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer(folder) == 42
    with monkeypatch.context() as patched:
        patched.delattr("os.scandir")
        assert answer(folder) == 42


HOLD = """
import sys, time
from pathlib import Path
from neurorl.native.cache import CompileCache
with CompileCache(Path(sys.argv[1])).building(sys.argv[2]) as scratch:
    print(scratch, flush=True)
    time.sleep(60)
"""


def test_the_folder_of_a_build_that_goes_on_stays_and_of_one_that_was_killed_goes(
    folder: Path,
) -> None:
    command = [sys.executable, "-c", HOLD, str(folder), "b" * 32]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        scratch = Path(process.stdout.readline().strip())
        try:
            assert answer(folder) == 42
            assert scratch.is_dir()
        finally:
            process.kill()
    with CompileCache(folder).building("c" * 32):
        assert not scratch.exists()


def test_a_full_disk_is_named_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(BackendError) as e:
            answer(folder)
    assert "No space left on device); make room on its disk; or set XDG_CACHE_HOME" in str(e.value)
    assert files(folder) == []
    assert answer(folder) == 42


def test_a_compiler_that_is_gone_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "compiler", lambda: ["/nonexistent/c++"])
    with pytest.raises(BackendError, match=r"can't run the compiler '/nonexistent/c\+\+'.*give up"):
        answer(folder)


def test_what_was_checked_is_what_is_loaded(folder: Path) -> None:
    """The file in the cache may be replaced right after it was read."""
    assert answer(folder) == 42
    (library,) = folder.glob("*.so")
    code = library.read_bytes()
    library.write_bytes(b"something else")
    assert load_copy(code, folder).answer() == 42
    assert not list(folder.glob("loading*"))
