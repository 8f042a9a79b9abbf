"""Options that several commands share."""

from __future__ import annotations

import argparse

__all__ = ["add_backend"]


def add_backend(parser: argparse.ArgumentParser) -> None:
    """``--backend``, ``--arithmetic`` and ``--noise``."""
    parser.add_argument("--backend", metavar="B", help="reference (default), brian2, loihi, ...")
    parser.add_argument("--arithmetic", metavar="A", help="float or loihi (default: the backend's)")
    parser.add_argument(
        "--noise",
        metavar="N",
        help="exact (default), or in arithmetic loihi the chip's own: chip or chip+coins",
    )
