"""Measure what an environment step costs (``neurorl bench``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import command


@command("""
measure what an environment step costs

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
def bench(arguments: argparse.Namespace) -> None:
    from neurorl.bench.command import measure_and_print

    measure_and_print(arguments)
