"""Measure what an environment step costs (``neurorl bench``)."""

from __future__ import annotations

import argparse

HELP = "measure what an environment step costs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--size",
        metavar="S",
        help="small, large, deep, or a preset: cartpole, gridworld (default: small and large)",
    )
    add("--backends", metavar="A,B", help="such as reference,brian2:cython,loihi:stock")
    add("--replicas", type=int, default=1, metavar="N", help="agents (default 1)")
    add("--rounds", type=int, default=3, metavar="N", help="default 3")
    add("--seconds", type=float, default=0.8, metavar="S", help="CPU seconds each (default 0.8)")
    add("--arithmetic", metavar="A", help="float or loihi (default: the backend's)")
    add("--cold", action="store_true", help="also starts without compiled code")
    add("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.bench.command import bench

    return bench(arguments)
