"""Let one process at a time train a run."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class RunLock:
    """Lock a run directory until the process that holds it ends.

    The lock file is removed on release, which `filelock` doesn't do, so that the directory of a
    finished run has no other files. Without ``fcntl``, and on file systems without locks (on some
    clusters), nothing is locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False if another process, or this one, holds it. Raises OSError."""
        try:
            import fcntl
        except ImportError:
            return True
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, self.path):
                    self._descriptor = descriptor
                    return True
            except BlockingIOError:
                os.close(descriptor)
                return False
            except OSError as exc:
                if exc.errno in _NO_LOCKS:
                    self._descriptor = descriptor
                    return True
                os.close(descriptor)
                raise
            os.close(descriptor)  # the last holder removed the file while we waited to open it

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                # While it is locked: after the close another process may hold this file.
                self.path.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
