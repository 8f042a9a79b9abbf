"""Share options between commands."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

__all__ = ["add_backend", "add_trust", "chosen_backend", "look_here"]


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add ``--backend``, ``--arithmetic``, ``--noise`` and ``--target``."""
    parser.add_argument(
        "--backend",
        metavar="B",
        help="reference (default), brian2, loihi, ..., or such as brian2:cython:loihi",
    )
    parser.add_argument("--arithmetic", metavar="A", help="float or loihi (default: the backend's)")
    parser.add_argument(
        "--noise",
        metavar="N",
        help="exact (default), or in arithmetic loihi the chip's own: chip or chip+coins",
    )
    parser.add_argument(
        "--target",
        metavar="T",
        help="of backend loihi: auto (default; a chip if NxSDK is installed), emulator or loihi",
    )


def chosen_backend(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags of `add_backend` say: backend, arithmetic, noise, backend_options.

    None for what they don't. Raises NeurorlError for an unknown name or a contradiction.
    """
    from neurorl.backends.spec import BackendSpec

    options = {} if arguments.target is None else {"target": arguments.target}
    if arguments.backend is not None:
        return BackendSpec.of(
            arguments.backend, arguments.arithmetic, arguments.noise, options
        ).keywords
    said = {"backend": None, "arithmetic": arguments.arithmetic, "noise": arguments.noise}
    return {**said, "backend_options": options}


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-env``."""
    parser.add_argument(
        "--trust-env",
        action="store_true",
        help="import what the run says that its environment is from; only for files you know",
    )


def look_here() -> None:
    """Find modules in the current folder too, as the user has named one, or trusts who has."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
