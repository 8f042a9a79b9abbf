"""Write a trained agent to a folder to be shared (``neurorl export``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import added

HELP = "write a run to a folder in Hugging Face's layout: safetensors and a card"


add_arguments = added("""
run RUN run            or zoo:NAME
--out FOLDER path required  a new one
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.exchange import export_run

    print(export_run(arguments.run, arguments.out))
    return 0
