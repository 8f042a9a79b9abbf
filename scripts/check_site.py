"""Check that every link of the built site leads to a file, and to an anchor, that is there.

    python scripts/check_site.py [build/site]

Links to other sites aren't looked at: that is ``make links``, which needs a network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from neurorl.cli.status import exit_status


class _Page(HTMLParser):
    """Collect the links of a page, and the anchors that others may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag in ("a", "img", "script", "link", "source"):
            self.links += [given[name] for name in ("href", "src") if name in given]


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def _has(path: Path, anchor: str) -> bool:
    return not anchor or anchor in _page(path).anchors


def broken_links(site: Path) -> Iterator[str]:
    """Yield ``page: link`` for each link within *site* that leads nowhere."""
    for path in sorted(site.rglob("*.html")):
        for link in dict.fromkeys(_page(path).links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or "_static" in parts.path:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (
                target.suffix == ".html" and not _has(target, unquote(parts.fragment))
            ):
                yield f"{path.relative_to(site)}: {link}"


@exit_status("check_site")
def main(arguments: list[str] | None = None) -> int:
    """Print the links that lead nowhere; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("site", type=Path, nargs="?", default=Path("build/site"))
    site = parser.parse_args(arguments).site.resolve()
    found = list(broken_links(site))
    pages = len(list(site.rglob("*.html")))
    print("\n".join(found) or f"all links of {pages} pages lead somewhere")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
