"""Choose by which engine, on which device, with which threads and memory PyTorch runs."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neurorl.errors import ArgumentError, BackendUnavailableError, quoted, unknown_name_error
from neurorl.native import toolchain

_LIMIT = "cpu, cuda, cuda:0, ..."
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from glibc's malloc.h
_LARGEST_MMAP = 2**25
_NEVER = 2**31 - 1


def check_device(device: object) -> torch.device:
    """Return the device of this name.

    Raises ArgumentError for another name, BackendUnavailableError where there is no such device.
    """
    if not isinstance(device, str):
        raise ArgumentError("device", "is no name", got=quoted(device), limit=_LIMIT)
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise ArgumentError("device", "unknown name", got=quoted(device), limit=_LIMIT)
    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if chosen.type == "cuda" and (chosen.index or 0) >= n_devices:
        where, problem = f"device {device!r}", "PyTorch finds no such CUDA device here"
        raise BackendUnavailableError(where, problem, got=n_devices, remedy="take device='cpu'")
    return chosen


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch run on one thread: quickest for windows this small, and the same bits anywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> bool:
    """Let this process keep the memory that its tensors free, for later tensors.

    glibc gives blocks above some 100 kB back to the system and gets them again, page by page, in
    every window. To be called once by a program that trains for long; it acts on the whole process.
    Returns whether the setting was made; only glibc has it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER) and mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP))


ENGINES = ("compiled", "eager")
"""Choose how windows without gradients run: in C++, or by torch's own operations, as others do."""
COMPILED = ENGINES[0]


def check_engine(engine: str | None) -> str:
    """Return the engine of this name, or for None the first that works here.

    Raises UnknownNameError for an unknown name, BackendUnavailableError without a compiler.
    """
    if engine is not None and engine not in ENGINES:
        raise unknown_name_error("engine of torch", engine, ENGINES)
    why = toolchain.problem()
    if engine == COMPILED and why is not None:
        raise BackendUnavailableError(f"engine {COMPILED!r}", why, remedy="take engine='eager'")
    return engine or ("eager" if why else COMPILED)
