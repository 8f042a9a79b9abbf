"""Run `neurorl.backends.brian2.generate` in a process of its own, which draws nothing.

``python -m neurorl.backends.brian2.builder FOLDER < PLAN`` builds one network;
``python -m neurorl.backends.brian2.builder`` those that `neurorl.backends.brian2.builders` asks
for, a line of JSON each, until it hasn't asked for a minute.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["main"]

_Build = Callable[[Path, dict[str, Any]], int]
_IDLE_S = 60.0


def main() -> int:
    """Generate and compile the plan, or one after the other; return the exit status."""
    # Brian2 takes all of pylab into its namespace if it can, and pytest for its own tests: half of
    # its import.
    sys.modules["pylab"] = sys.modules["pytest"] = None  # type: ignore[assignment]
    from neurorl.backends.brian2.generate import build

    if len(sys.argv) > 1:
        return build(Path(sys.argv[1]), json.load(sys.stdin))
    _serve(build)
    return 0


def _serve(build: _Build) -> None:
    """Build what is asked for, each in a child of its own, and answer with its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for the program that asks
    while select.select([sys.stdin], [], [], _IDLE_S)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        process = os.fork()
        if process == 0:
            _build_one(build, json.loads(line))
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    os._exit(0)  # nothing to tidy up


def _build_one(build: _Build, request: dict[str, Any]) -> None:
    """Build a plan as the program that asks would, and end this process."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        folder = Path(request["folder"])
        said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, target in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(descriptor, target)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["directory"])
        status = build(folder, request["plan"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    raise SystemExit(main())
