"""Check on which device PyTorch is to run a network."""

from __future__ import annotations

import torch

from neurorl.errors import ArgumentError, BackendUnavailableError, quoted

__all__ = ["check_device"]

_LIMIT = "cpu, cuda, cuda:0, ..."


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
