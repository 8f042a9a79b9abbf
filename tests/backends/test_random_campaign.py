"""The script that compares random networks and rules: small, and with a fault."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from load_script import SCRIPTS

from neurorl.native import toolchain


@pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
def test_it_counts_cases_and_tells_what_differs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script = importlib.import_module("random_networks")
    monkeypatch.setattr(script, "FLOAT", {"reference": {}})
    monkeypatch.setattr(script, "CHIP", {"reference": {"arithmetic": "loihi"}})
    monkeypatch.setattr(script, "ELSEWHERE", {"native loop": {"backend": "reference"}})
    arguments = ["--networks", "3", "--driven", "2", "--chip", "3", "--rules", "1", "--json"]
    assert script.main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["cases"], row["differing"]) for row in rows] == [
        *((3, []), (2, []), (3, []), (1, [])),
    ]
    assert all(row["active"] for row in rows)

    sound = script.compare

    def wrong(network: Any, seed: int, others: Any, reference: Any = None) -> Any:
        if seed == 1:
            return sound(network, seed, {"reference": {"arithmetic": "loihi"}}, {})
        return sound(network, seed, others, reference)

    monkeypatch.setattr(script, "compare", wrong)
    assert script.main(["--networks", "0", "--driven", "0", "--chip", "3", "--rules", "0"]) == 1
    assert "network of a chip form 1 on reference: AssertionError" in capsys.readouterr().out
