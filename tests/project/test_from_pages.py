"""Programs of other libraries, beside ours on the pages from-*.md, run where these are installed.

Ours are run by test_readme.py, but for the page that needs PyTorch.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PEERS = {
    "from-bindsnet.md": "bindsnet",
    "from-snntorch.md": "snntorch",
    "from-brian2-by-hand.md": "brian2",
}
FENCE = re.compile(r"```(py|python)\n(.*?)```", re.DOTALL)
BOTH = re.compile(r'<div class="both">\n\n(.*?)\n\n</div>', re.DOTALL)


@pytest.mark.parametrize(("page", "package"), PEERS.items())
def test_programs_work_when_pasted(page: str, package: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"its program needs {package}: pip install {package}")
    kinds = ("py", "python") if package == "snntorch" else ("py",)
    programs = [text for kind, text in FENCE.findall((DOCS / page).read_text()) if kind in kinds]
    assert programs
    all_in_one = "\n".join(f"exec({program!r}, {{}})" for program in programs)
    run = [sys.executable, "-c", all_in_one]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PEERS)
def test_programs_stand_in_pairs_that_fit(page: str) -> None:
    pairs = BOTH.findall((DOCS / page).read_text())
    assert pairs
    for pair in pairs:
        found = FENCE.findall(pair)
        assert [kind for kind, _ in found] == ["py", "python"]
        assert max(len(line) for _, program in found for line in program.splitlines()) <= 62
