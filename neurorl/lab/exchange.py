"""Export a trained agent to a folder in the form of Hugging Face's hub, and import it as a run.

The folder holds ``README.md`` (the card), ``model.safetensors`` (every array of the checkpoint and,
as metadata, its description and digest), ``config.json`` and ``episodes.csv`` of the run. An import
gives the checkpoint to the last byte, or is refused. Nothing here uses a network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.agents.checkpoint import (
    checkpoint_in,
    digest,
    packed_text,
    read_checkpoint,
    read_text,
)
from neurorl.errors import RunError, UnsupportedError
from neurorl.lab.card import Notes, card, read_evaluation
from neurorl.numerics.arrays import Array
from neurorl.runs.directory import RunDirectory
from neurorl.storage import archive
from neurorl.storage.files import make_folder, write_bytes
from neurorl.storage.reading import FilePlace, parse_json, read_bytes
from neurorl.storage.zoo import located

MODEL = "model.safetensors"
_KEPT = ("config.json", "episodes.csv", "evaluation.json", "summary.json")
_LARGEST_TEXT = 2**28
_KEYS = ("description", "digest", "order")


def export_run(run: str | Path, folder: str | Path) -> Path:
    """Write a run, or ``zoo:NAME``, to a new *folder*; return its path.

    Raises UnsupportedError without safetensors, RunError for a damaged run or a folder that exists.
    """
    library = _library()
    source, folder = RunDirectory(located(run)), Path(folder)
    source.read_config()
    checkpoint = checkpoint_in(source.path)
    read_checkpoint(checkpoint)  # is it an agent's?
    description, arrays = read_text(checkpoint)
    texts = {
        "description": description.decode(),
        "digest": digest(checkpoint),
        "order": json.dumps(list(arrays)),
    }
    content = library.save({k: np.asarray(v, order="C") for k, v in arrays.items()}, texts)
    kept = {name: source.path / name for name in _KEPT if (source.path / name).exists()}
    text = _card(source, folder.absolute().name)
    _check_free(folder)
    make_folder(folder)
    for name, path in kept.items():
        place = FilePlace(f"run {source.path}", name)
        write_bytes(folder / name, read_bytes(path, _LARGEST_TEXT, place))
    write_bytes(folder / "README.md", text)
    write_bytes(folder / MODEL, content)
    return folder


def import_run(folder: str | Path, run: str | Path) -> Path:
    """Make a run directory from an exported *folder*; return its path.

    Raises UnsupportedError without safetensors; RunError for a folder that is damaged or holds no
    neurorl agent, and for a run that exists.
    """
    _library()
    folder, target = Path(folder), RunDirectory(Path(run))
    content = _checkpoint(folder / MODEL)
    source = RunDirectory(folder)
    source.read_config()
    kept = {}
    for name in _KEPT:
        if os.path.lexists(folder / name):
            kept[name] = read_bytes(
                folder / name, _LARGEST_TEXT, FilePlace(f"folder {folder}", name)
            )
    _check_free(target.path)
    make_folder(target.path)
    for name, data in kept.items():
        write_bytes(target.path / name, data)
    write_bytes(target.checkpoint, content)
    return target.path


def _checkpoint(file: Path) -> bytes:
    """Return the bytes of the checkpoint whose arrays *file* holds."""
    place = FilePlace(f"folder {file.parent}", file.name)
    data = read_bytes(file, archive.LARGEST_FILE, place)
    texts, arrays = _read(data, place)
    if not set(_KEYS) <= set(texts):
        raise place.wrong("is not an agent's", f"no {', '.join(sorted({*_KEYS} - set(texts)))}")
    order = parse_json(texts["order"].encode(), place)
    whole = isinstance(order, list) and sorted(map(str, order)) == sorted(arrays)
    if not whole:
        raise place.wrong("is damaged")
    content = packed_text(texts["description"].encode(), {name: arrays[name] for name in order})
    if content[-archive.DIGEST :].decode() != texts["digest"]:
        raise place.wrong("is damaged: its digest doesn't match")
    return content


def _read(data: bytes, place: FilePlace) -> tuple[Mapping[str, str], dict[str, Array]]:
    """Return metadata and arrays of a file in the format safetensors."""
    size = int.from_bytes(data[:8], "little")
    header = parse_json(data[8 : 8 + size], place) if size <= len(data) else None
    texts = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise place.wrong("is damaged")
    try:
        return texts, _library().load(data)
    except Exception as exc:  # its errors have no narrower base
        raise place.wrong("is damaged", exc) from exc


def _library() -> Any:
    """Return safetensors for NumPy. Raises UnsupportedError."""
    try:
        import safetensors.numpy as library
    except ImportError as exc:
        what, remedy = "needs safetensors", "pip install 'neurorl[hub]'"
        raise UnsupportedError("exchange of agents", what, remedy=remedy) from exc
    return library


def _card(run: RunDirectory, name: str) -> bytes:
    """Return the card of a run from the zoo, or a new one."""
    own = run.path / "README.md"
    if own.exists():
        return read_bytes(own, _LARGEST_TEXT, FilePlace(f"run {run.path}", own.name))
    file = run.path / "evaluation.json"
    evaluations = [read_evaluation(file)] if file.exists() else []
    use = "neurorl import FOLDER --out RUN    # this folder\nneurorl evaluate RUN"
    return card(name, run, evaluations, Notes(use)).encode()


def _check_free(path: Path) -> None:
    """Raise RunError if something is there already."""
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise RunError(f"folder {path}", "already exists", remedy="name another")
