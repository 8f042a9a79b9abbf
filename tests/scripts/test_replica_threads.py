"""Test scripts/replica_threads.py in a small version."""

from __future__ import annotations

import json
from typing import Any

from load_script import load_script


def test_a_row_for_each_kind(capsys: Any) -> None:
    small = ["--replicas", "4", "--threads", "3", "--warm", "3", "--blocks", "2", "--steps", "4"]
    script = load_script("replica_threads")
    assert script.main([*small, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["agents"] for row in rows] == ["cartpole", "deep", "catch"]
    assert all(row["equal"] and 0.0 < row["in_c"] < 1.0 and row["ratio"] > 0.0 for row in rows)
    assert script.main([*small, "--agents", "catch"]) == 0
    assert "True" in capsys.readouterr().out
