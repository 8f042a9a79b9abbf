"""Run `neurorl.backends.brian2.generate` in a process of its own, which draws nothing.

``python -m neurorl.backends.brian2.builder FOLDER < PLAN``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

__all__ = ["main"]


def main() -> int:
    """Generate and compile the plan; return the exit status."""
    # Brian2 takes all of pylab into its namespace if it can: a third of its import.
    sys.modules["pylab"] = None  # type: ignore[assignment]
    from neurorl.backends.brian2.generate import build

    return build(Path(sys.argv[1]), json.load(sys.stdin))


if __name__ == "__main__":
    raise SystemExit(main())
