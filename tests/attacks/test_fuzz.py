"""Files and arguments of any kind end in a result or in one line: never in a traceback.

Nothing of them is run, and sizes are checked before memory is taken for them. The inputs are made
by `fuzzing` in ``tests/support`` from valid ones; the same every time here, others every time in
``scripts/fuzz.py``, which prints the table.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from fuzzing.campaign import shares
from fuzzing.guard import Tally, set_trap, tried
from fuzzing.run import TARGETS, fuzz
from fuzzing.values import TRAP
from load_script import load_script

from neurorl.errors import RunError

SHORT = 2400


@pytest.mark.parametrize("name", list(TARGETS))
def test_what_is_read_is_valid_or_refused(name: str, tmp_path: Path) -> None:
    for package in TARGETS[name].needs:
        pytest.importorskip(
            package, reason=f"{package} is not installed, and this target reads its files"
        )
    tally = fuzz(TARGETS[name], shares(SHORT)[name], tmp_path)
    assert tally.inputs > 0
    assert tally.peak_mb < 500


def test_the_short_version_is_two_thousand_inputs() -> None:
    assert sum(shares(SHORT).values()) >= 2000


@pytest.mark.slow
def test_two_hundred_thousand_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("fuzz").main(["--inputs", "200000", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert sum(row["inputs"] for row in rows) >= 200_000
    assert max(row["peak_mb"] for row in rows) < 500
    assert max(row["slowest"] for row in rows) < 10


def test_the_guard_lets_only_our_errors_pass(tmp_path: Path) -> None:
    set_trap(tmp_path)

    def ours(_: object) -> None:
        raise RunError("run: is damaged")

    def foreign(_: object) -> None:
        raise KeyError("x")

    def greedy(_: object) -> None:
        bytearray(10**9)

    def runs(_: object) -> None:
        importlib.import_module(TRAP)

    tally = Tally()
    tried(ours, 0, tally, tmp_path)
    assert (tally.inputs, tally.refused) == (1, 1)
    for attempt, error in ((foreign, KeyError), (greedy, MemoryError), (runs, AssertionError)):
        with pytest.raises(error):
            tried(attempt, 0, tally, tmp_path)
