"""Measure what an environment step costs (``neurorl bench``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import added

HELP = "measure what an environment step costs"


add_arguments = added("""
--size S               small, large, deep, or a preset: cartpole, gridworld (default: small and
    large)
--backends A,B         such as reference,brian2:cython,loihi:stock
--replicas N int =1    agents (default 1)
--rounds N int =3      default 3
--seconds S float =0.8  CPU seconds each (default 0.8)
--arithmetic A         float or loihi (default: the backend's)
--cold                 also starts without compiled code
--json                 print one JSON object
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.bench.command import bench

    return bench(arguments)
