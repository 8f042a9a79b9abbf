"""Measure what an environment step costs (``neurorl bench``)."""

from __future__ import annotations

import argparse

HELP = "measure what an environment step costs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size",
        metavar="S",
        help="small, large, deep, or a preset: cartpole, gridworld (default: small and large)",
    )
    parser.add_argument(
        "--backends", metavar="A,B", help="such as reference,brian2:cython,loihi:stock"
    )
    parser.add_argument("--replicas", type=int, default=1, metavar="N", help="agents (default 1)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument(
        "--seconds", type=float, default=0.8, metavar="S", help="CPU seconds each (default 0.8)"
    )
    parser.add_argument("--arithmetic", metavar="A", help="float or loihi (default: the backend's)")
    parser.add_argument("--cold", action="store_true", help="also starts without compiled code")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.bench.command import bench

    return bench(arguments)
