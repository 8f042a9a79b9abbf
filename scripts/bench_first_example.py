"""Print the CPU time of README's first example on the default backend and on the reference.

    python scripts/bench_first_example.py --rounds 3

The script is README's, but for the part that loads the agent on another backend. Each run is a
process of its own, in interleaved rounds, with a cache that has the compiled code; *first use* is a
run with an empty cache, the compilers included. The row *after imports* leaves out what both spend
on starting Python and importing.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from neurorl.backends.lookup import VARIABLE
from neurorl.cli.status import exit_status
from neurorl.storage.plain import check_count

ROOT = Path(__file__).parents[1]
WAYS = {"default": "", "reference": "reference"}
"""Map each row to the backend that it names."""
_CLOCK = "import time; print('CPU', time.process_time())\n"


def example() -> str:
    """Return README's first example without its last part, and with the clock after imports."""
    text = (ROOT / "README.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0].partition("agent = Spiking")
    begun, rest = code[0], code[1] + code[2]
    rest = rest[: rest.index("agent = SpikingActorCritic.load")]
    return f"{begun}{_CLOCK}{rest}{_CLOCK}"


@exit_status("bench_first_example")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-first-use", action="store_true", help="compile nothing anew")
    options = parser.parse_args(arguments)
    check_count("--rounds", options.rounds)
    code = example()
    if not options.no_first_use:
        for way, name in WAYS.items():
            with tempfile.TemporaryDirectory() as cache:
                whole, _ = measure(code, {VARIABLE: name, "XDG_CACHE_HOME": cache})
                print(f"first use, {way}: {whole:.2f} s CPU")
    measure(code, {VARIABLE: ""})  # so that all is compiled
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, name in WAYS.items():
            taken[way].append(measure(code, {VARIABLE: name}))
    for k, row in enumerate(("whole process", "after imports")):
        default, reference = (median(each[k] for each in taken[way]) for way in WAYS)
        print(f"{row}: {default:.3f} s CPU by default, {reference:.3f} on the reference,", end=" ")
        print(f"ratio {default / reference:.3f}")
    return 0


def measure(code: str, environment: dict[str, str]) -> tuple[float, float]:
    """Return the CPU seconds of a process that runs *code*, and those after its imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
    begun, ended = map(float, re.findall(r"CPU (\S+)", done.stdout))
    return whole, ended - begun


if __name__ == "__main__":
    sys.exit(main())
