"""Write the digests of what some 300 random cases compute, or say which of them have changed.

    python scripts/bits.py [--only WORDS] [--write]

No change that isn't meant to may alter one: `tests/bits` compares them all. Exit status 1 if any
differs and isn't written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from neurorl.cli.status import exit_status
from neurorl.storage.files import write_json

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from guarded import CASES
from guarded.digest import digested

WHERE = Path(__file__).parents[1] / "tests" / "bits" / "digests.json"


@exit_status("bits")
def main(arguments: list[str] | None = None) -> int:
    """Compute the cases; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="WORDS", help="cases whose name has these")
    parser.add_argument("--write", action="store_true", help="write the digests that are new")
    options = parser.parse_args(arguments)
    known = json.loads(WHERE.read_text("utf-8")) if WHERE.exists() else {}
    chosen = {name: case for name, case in CASES.items() if options.only in name}
    computed = {name: digested(case()) for name, case in chosen.items()}
    changed = [name for name, digests in computed.items() if known.get(name) != digests]
    for name in changed:
        print(f"{name}: {'new' if name not in known else 'changed'}")
    print(f"{len(computed)} cases, {len(changed)} differ")
    if options.write:
        kept = {name: digests for name, digests in {**known, **computed}.items() if name in CASES}
        write_json(WHERE, dict(sorted(kept.items())))
    return int(bool(changed) and not options.write)


if __name__ == "__main__":
    raise SystemExit(main())
