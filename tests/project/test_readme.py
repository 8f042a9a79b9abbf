"""Examples of README and of pages that teach run; the table of features has those that exist."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from neurorl.backends.registry import backend_class
from neurorl.testing import FEATURES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "agreement.md").read_text()
TABLE = PAGE.partition("<!-- features: start -->")[2].partition("<!-- features: end -->")[0]
EXAMPLES = [
    pytest.param(example, id=f"{page}-{n}")
    for page in (
        "README.md",
        "docs/python.md",
        "docs/expressions.md",
        "docs/rules.md",
        "docs/recording.md",
        "docs/neurons.md",
        "docs/connections.md",
        "docs/own-encoder.md",
        "docs/learning-without-an-agent.md",
        "docs/nengo.md",
        "docs/hyperparameters.md",
        "docs/from-bindsnet.md",
        "docs/from-brian2-by-hand.md",
    )
    for n, example in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    )
]


@pytest.mark.usefixtures("quickest_backend")
@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_work_when_pasted(example: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    returns = re.findall(r"^(\d\.\d+)$", done.stdout, re.MULTILINE)
    if "SpikingActorCritic" in example and "print(" in example:
        assert len(returns) == 2
        assert min(float(r) for r in returns) > 0.8


def test_the_table_has_every_feature_and_what_is_refused() -> None:
    rows = {
        cells[0]: cells[1:]
        for line in TABLE.splitlines()
        if (cells := [cell.strip() for cell in line.strip("|").split("|")]) and len(cells) > 3
    }
    columns = rows.pop("feature")
    rows.pop("---")
    assert set(rows) == set(FEATURES)
    for feature, verdicts in rows.items():
        for column, verdict in zip(columns, verdicts, strict=True):
            backend, arithmetic = column.split(", ")
            if backend == "torch" and importlib.util.find_spec("torch") is None:
                continue  # it is optional
            problems = backend_class(backend).problems(FEATURES[feature](), arithmetic)
            assert verdict == ("refused" if problems else "exact")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 21
