"""Test scripts/check_site.py: links that lead nowhere are found, others are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from load_script import load_script


def test_links_that_lead_nowhere_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.html").write_text('<h1 id="here">b</h1><a href="../a.html">a</a>')
    links = (
        '<a href="sub/b.html#here">1</a><a href="#top">2</a><h1 id="top">a</h1>'
        '<a href="https://example.org/no">3</a><img src="no.png"><a href="sub/b.html#no">4</a>'
    )
    (tmp_path / "a.html").write_text(links)
    assert load_script("check_site").main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == ["a.html: no.png", "a.html: sub/b.html#no"]
    (tmp_path / "a.html").write_text('<a href="sub/">b</a>')
    (tmp_path / "sub" / "index.html").write_text("")
    assert load_script("check_site").main([str(tmp_path)]) == 0
