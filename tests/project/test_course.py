"""The chapters of the course run as programs, and each has figures and an exercise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHAPTERS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("course-*.md"))
CELL = re.compile(r"```\{code-cell\} ipython3\n(.*?)```", re.DOTALL)


@pytest.mark.usefixtures("quickest_backend")
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_runs(chapter: Path, tmp_path: Path) -> None:
    text = chapter.read_text()
    cells = CELL.findall(text)
    assert 3 <= len(cells) <= 6
    assert "plt.subplots" in text
    assert text.count("## Exercise") == 1
    program = "\n".join(["import matplotlib", 'matplotlib.use("Agg")', *cells])
    run = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_chapters_follow_each_other() -> None:
    assert len(CHAPTERS) == 6
    for number, (chapter, after) in enumerate(zip(CHAPTERS, [*CHAPTERS[1:], None], strict=True), 1):
        text = chapter.read_text()
        assert f"# Course, {number}: " in text
        assert f"{{nb-download}}`{chapter.stem}.ipynb`" in text
        assert after is None or f"]({after.name})" in text
