"""List backends without importing simulators, unless something has changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurorl.backends import registry
from neurorl.backends.registry import available_backends

COMMAND = """
import json, sys
from neurorl.backends.registry import remembered_backends
rows = remembered_backends()
print(json.dumps([rows, [name for name in ("brian2", "nengo", "torch") if name in sys.modules]]))
"""


def listed(cache: Path, *folders: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows in a new process, and the simulators that it has imported."""
    paths = "".join(f"import sys; sys.path.insert(0, {str(folder)!r})\n" for folder in folders)
    environment = f"import os; os.environ['XDG_CACHE_HOME'] = {str(cache)!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", environment + paths + COMMAND],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, imported = json.loads(done.stdout)
    return rows, imported


def test_a_second_list_imports_nothing_until_something_changes(tmp_path: Path) -> None:
    first, imported = listed(tmp_path)
    assert imported
    again, imported = listed(tmp_path)
    assert (again, imported) == (first, [])
    assert first == json.loads(json.dumps(available_backends()))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "brian2.py").write_text("raise RuntimeError('built for another NumPy')\n")
    for _ in range(2):  # what is broken isn't remembered
        rows, _ = listed(tmp_path, broken)
        (row,) = (row for row in rows if row["name"] == "brian2")
        assert not row["available"]


def test_a_file_of_something_else_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(registry, "available_backends", list)
    monkeypatch.setattr(registry, "BACKENDS", {})
    for text in ("", "[]", '{"key": []}', '{"key": 3, "rows": [1]}'):
        (tmp_path / "neurorl").mkdir(exist_ok=True)
        (tmp_path / "neurorl" / "backends.json").write_text(text)
        assert registry.remembered_backends() == []
        kept = json.loads((tmp_path / "neurorl" / "backends.json").read_text())
        assert kept["rows"] == []
