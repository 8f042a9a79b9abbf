"""Write files so that a reader sees the old one or the new one, never a half."""

from __future__ import annotations

import contextlib
import csv
import errno
import importlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_config_path

from neurorl.errors import NeurorlError, RunError, UnsupportedError, format_message

_REMEDIES = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room on its disk",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "let its folder be written, or name another",
    errno.EACCES: "let its folder be written, or name another",
    errno.EPERM: "let its folder be written, or name another",
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "name another folder",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EISDIR: "name a file in it",
}


def replace(path: Path, data: bytes) -> None:
    """Replace *path* by *data*, atomically and durably. Raises OSError, and leaves it as it was."""
    with temporary_name(path, ".tmp") as name, open(name, "wb") as file:
        file.write(data)
        file.flush()
        # Before the rename: else a crash could leave an empty file under the name.
        os.fsync(file.fileno())


@contextlib.contextmanager
def temporary_name(path: Path, suffix: str | None = None) -> Iterator[Path]:
    """Yield the name of a file beside *path*, of its kind, which takes its place when all is well.

    For writers that open files by name themselves; what they leave when they fail is removed.
    suffix: how the name ends; None ends it as *path*.
    """
    suffix = path.suffix if suffix is None else suffix
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix)
    os.close(handle)
    try:
        yield Path(name)
        mask = os.umask(0)  # it can only be read by setting it
        os.umask(mask)
        # mkstemp makes files that only the user can read.
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def temporary_files(path: Path) -> list[Path]:
    """Return the files that a `replace` of *path* may have left when it was killed."""
    return sorted(path.parent.glob(f".{path.name}.*.tmp"))


def write_bytes(
    path: Path, data: bytes, what: str = "file", error: type[NeurorlError] = RunError
) -> None:
    """Replace *path* by *data*, atomically and durably.

    Raises *error*, which calls the file *what*, if the system refuses: a full disk, no permission.
    """
    with writing(f"{what} {path}", error=error):
        replace(path, data)


def check_place(path: Path, what: str = "file") -> None:
    """Raise RunError, before there is anything to write, if no file *path* can be written."""
    with writing(f"{what} {path}"):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"):
            pass


def write_json(path: Path, data: object) -> None:
    """Replace *path* by *data* as JSON. Raises RunError if the system refuses."""
    write_bytes(path, as_json(data))


def as_json(data: object) -> bytes:
    """Return *data* as the text of our JSON files."""
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def as_csv(rows: Iterable[Iterable[object]]) -> bytes:
    """Return *rows* as the text of our CSV files."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises RunError if the system refuses."""
    with writing(f"folder {path}", "can't be made"):
        path.mkdir(parents=True, exist_ok=True)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder of these files, which is missing or empty, whole or not at all.

    Raises RunError if the system refuses.
    """
    make_folder(folder.parent)
    with (
        writing(f"folder {folder}"),
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place,
    ):
        made = Path(place) / folder.name
        made.mkdir()
        for name, data in files.items():
            replace(made / name, data)
        made.replace(folder)


def save_figure(figure: Any, path: Path, **options: Any) -> None:
    """Write a Matplotlib figure in the format that its name ends with, as `write_bytes` does.

    Raises ValueError for an ending that Matplotlib doesn't know.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix(".") or None, **options)
    write_bytes(path, picture.getvalue(), "plot")


@contextlib.contextmanager
def writing(
    where: str, what: str = "can't be written", *, error: type[NeurorlError] = RunError
) -> Iterator[None]:
    """Raise *error*, in one line, for what the system refuses inside."""
    try:
        yield
    except OSError as exc:
        raise error(unwritable(where, exc, what)) from exc


def unwritable(
    where: str, exc: OSError, what: str = "can't be written", then: str | None = None
) -> str:
    """Return the line for an error of the system; *then*: what to do after the remedy."""
    remedy = _REMEDIES.get(exc.errno or 0)
    steps = ", then ".join(step for step in (remedy, then) if step)
    return format_message(where, what, got=exc.strerror or exc, remedy=steps or None)


def import_matplotlib() -> None:
    """Import Matplotlib, which makes no folders in the home unless the user has its configuration.

    Raises UnsupportedError for settings that it refuses, as a backend that it doesn't know.
    """
    if "matplotlib" not in sys.modules and not user_config_path("matplotlib").exists():
        os.environ.setdefault("MPLCONFIGDIR", str(user_cache_path("neurorl") / "matplotlib"))
    try:
        import matplotlib  # noqa: F401
    except ValueError as exc:
        remedy = "correct its configuration, or unset MPLBACKEND"
        what = "refuses its settings"
        raise UnsupportedError("Matplotlib", what, got=exc, remedy=remedy) from exc


def import_extra(module: str, where: str, named: str, extra: str) -> Any:
    """Import a module that only *where* needs. Raises UnsupportedError without it."""
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        remedy = f"pip install 'neurorl[{extra}]'"
        raise UnsupportedError(where, f"needs {named}", remedy=remedy) from exc
