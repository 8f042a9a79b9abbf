"""Keep compiled code on disk: whole or absent, built once, and written by the user alone.

Code loaded from a cache runs with the user's rights. So a folder or file that others own or can
write is refused, code that differs from its digest is built again, and the bytes that were
checked are those that are loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from neurorl.errors import BackendError
from neurorl.storage.files import unwritable

_ANOTHER = "set XDG_CACHE_HOME to a folder of your own"
_LOADING_S = 60.0
"""Delete private copies of a library older than this: the process that made one was killed."""
_MOST, _KEPT = 2000, 1500
"""Bound the libraries of a folder: of more, those that were used last are kept."""
_tidied = set[Path]()
"""Name the folders that this process has looked through, which takes a while where much is kept."""


class CompileCache:
    """Keep a folder of compiled code, safe for many processes; it may be deleted at any time.

    Raises BackendError, from each method, if the folder can't be written where it must be, or if
    others could have written what would be loaded.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def library(self, name: str, build: Callable[[Path], None]) -> bytes:
        """Return the code of library *name*, built now if it is missing or damaged.

        build: compiles it to the path that it is called with; what it raises is raised here.
        """
        code = self._whole(name)
        if code is None:
            with self.building(name) as scratch:
                code = self._whole(name) or self._build(name, scratch, build)
        else:
            with contextlib.suppress(OSError):
                built = (self.folder / f"{name}.so").stat().st_mtime_ns
                os.utime(self.folder / f"{name}.so", ns=(time.time_ns(), built))
            if self.folder not in _tidied:
                self._tidy()
        return code

    def has(self, name: str) -> bool:
        """Return whether the code of library *name* is there, undamaged."""
        return self._whole(name) is not None

    def read(self, name: str) -> bytes | None:
        """Return a file of the cache, None if it can't be read."""
        self.check()
        path = self.folder / name
        try:
            with path.open("rb") as file:
                _check_private(path, os.fstat(file.fileno()))
                return file.read()
        except OSError:
            return None

    def check(self) -> None:
        """Refuse the folder if it is there and others could have written to it."""
        with contextlib.suppress(OSError):
            _check_private(self.folder, self.folder.stat())

    def make(self) -> None:
        """Make the folder, for the user alone, unless it is there.

        Raises BackendError if it can't be written.
        """
        self.check()
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            problem = None if os.access(self.folder, os.W_OK | os.X_OK) else "no permission"
        except OSError as exc:
            problem = exc.strerror
        if problem is not None:
            remedy = "set XDG_CACHE_HOME to a folder that can"
            where = f"cache {self.folder}"
            raise BackendError(where, "can't be written", got=problem, remedy=remedy)

    @contextlib.contextmanager
    def building(self, name: str) -> Iterator[Path]:
        """Yield an empty folder to build *name* in, for one process at a time.

        Look again whether *name* is there: another process may have built it meanwhile. What
        processes that were killed have left is removed, and libraries that nobody used lately, if
        there are very many.
        Raises BackendError if the cache can't be used.
        """
        from filelock import FileLock  # 15 ms, and most starts build nothing

        self.make()
        try:
            with FileLock(self._lock(name)):
                self._tidy(name)
                scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.folder))
                try:
                    yield scratch
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
        except OSError as exc:
            what = unwritable(f"cache {self.folder}", exc)
            raise BackendError(f"{what}; or {_ANOTHER}") from exc

    def _tidy(self, locked: str | None = None) -> None:
        """Remove what killed processes left, and libraries above `_MOST`.

        locked: the name whose lock is held; folders of others go if nobody holds theirs.
        """
        _tidied.add(self.folder)
        libraries = list[os.DirEntry[str]]()
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in list(entries):
                owner, _, kind = entry.name.partition(".")
                if owner.startswith(("loading", "tmp")):
                    _remove_old_copy(entry)
                elif kind == "so":
                    libraries.append(entry)
                elif kind not in ("", "sha256", "lock") and entry.is_dir(follow_symlinks=False):
                    self._remove_leftover(Path(entry.path), owner, owner == locked)
            if len(libraries) > _MOST:
                libraries.sort(key=lambda entry: entry.stat().st_atime_ns)
                for entry in libraries[:-_KEPT]:
                    for end in ("so", "sha256", "lock"):
                        Path(entry.path).with_suffix(f".{end}").unlink(missing_ok=True)

    def _remove_leftover(self, path: Path, owner: str, is_locked: bool) -> None:
        from filelock import FileLock, Timeout

        if is_locked:
            shutil.rmtree(path, ignore_errors=True)
            return
        with contextlib.suppress(Timeout), FileLock(self._lock(owner), timeout=0):
            shutil.rmtree(path, ignore_errors=True)

    def _whole(self, name: str) -> bytes | None:
        """Return the code of a library, None if it doesn't match its digest."""
        code, digest = self.read(f"{name}.so"), self.read(f"{name}.sha256")
        return code if code is not None and digest == _digest(code) else None

    def _build(self, name: str, scratch: Path, build: Callable[[Path], None]) -> bytes:
        library, digest = scratch / "library.so", scratch / "sha256"
        build(library)
        code = library.read_bytes()
        digest.write_bytes(_digest(code))
        for built, place in ((library, f"{name}.so"), (digest, f"{name}.sha256")):
            _sync(built)
            os.replace(built, self.folder / place)
            _sync(self.folder)
        return code

    def _lock(self, name: str) -> Path:
        return self.folder / f"{name}.lock"


def load_copy(code: bytes, folder: Path) -> ctypes.CDLL:
    """Load the library whose file has these bytes, from a file of its own in *folder*.

    Two loaded from one file would share their memory, and what is in a cache may be replaced. The
    file goes as soon as it is loaded. Raises OSError if it can't be written or loaded.
    """
    place = folder if os.access(folder, os.W_OK) else None  # None: the folder of temporary files
    descriptor, path = tempfile.mkstemp(prefix="loading.", suffix=".so", dir=place)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(code)
        return ctypes.CDLL(path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _remove_old_copy(entry: os.DirEntry[str]) -> None:
    """Remove a copy that was never loaded, or a file of a compiler, unless it is in use now."""
    with contextlib.suppress(OSError):
        if entry.name.endswith(".so") and time.time() - entry.stat().st_mtime > _LOADING_S:
            os.unlink(entry)


def _check_private(path: Path, status: os.stat_result) -> None:
    """Raise BackendError unless only this user, or the system's, can have written there."""
    if not hasattr(os, "geteuid"):
        return
    where, limit = f"cache {path}", "yours alone"
    if status.st_uid not in (os.geteuid(), 0):
        got, remedy = f"user {status.st_uid}", f"remove it, or {_ANOTHER}"
        raise BackendError(where, "is owned by another user", got=got, remedy=remedy)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        got = f"mode {stat.S_IMODE(status.st_mode):04o}"
        remedy = f"if you trust what is in it: chmod -R go-w {path}; else {_ANOTHER}"
        what = "can be written by other users"
        raise BackendError(where, what, got=got, limit=limit, remedy=remedy)


def _digest(code: bytes) -> bytes:
    return hashlib.sha256(code).hexdigest().encode()


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk; files become the user's alone, whatever the umask."""
    if path.is_file():
        os.chmod(path, 0o600)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
