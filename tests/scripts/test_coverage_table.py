"""The table of coverage: files by their folders, and all."""

from __future__ import annotations

from coverage_table import by_package


def test_files_are_counted_by_folder() -> None:
    def file(*counts: int) -> dict[str, dict[str, int]]:
        names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
        return {"summary": dict(zip(names, counts, strict=True))}

    files = {"a/x.py": file(1, 2, 0, 4), "a/y.py": file(3, 3, 1, 2), "b/z.py": file(0, 5, 0, 0)}
    found = by_package(files)
    assert found == {"a": (4, 5, 1, 6), "b": (0, 5, 0, 0), "all": (4, 10, 1, 6)}
    assert [*found][-1] == "all"
