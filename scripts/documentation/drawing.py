"""Draw boxes, arrows and small plots as SVG that is legible on light and on dark pages.

Colours are CSS variables: a picture that stands alone follows the reader's system, and in a page
that sets the variables, as the site does, the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

_LIGHT = {
    "ink": "#1f2328",
    "faint": "#57606a",
    "blue": "#ddf4ff",
    "blue-line": "#1f6fb2",
    "gold": "#fff8c5",
    "gold-line": "#9a6700",
    "green": "#dafbe1",
    "green-line": "#1a7f37",
    "red-line": "#c0392b",
}
_DARK = {
    "ink": "#e6edf3",
    "faint": "#a9b4c0",
    "blue": "#12304a",
    "blue-line": "#6cb6ff",
    "gold": "#3b2f0b",
    "gold-line": "#d4a72c",
    "green": "#12351f",
    "green-line": "#57c977",
    "red-line": "#ff7b72",
}
_RULES = """
.drawing text{font-family:system-ui,-apple-system,"Segoe UI",sans-serif}
.drawing text{fill:var(--ink);text-anchor:middle}
.drawing .t{font-size:15px;font-weight:600}
.drawing .s{font-size:13px;fill:var(--faint)}
.drawing .h{font-size:16px;font-weight:600;text-anchor:start}
.drawing .l{font-size:13px;fill:var(--faint);text-anchor:start}
.drawing .blue{fill:var(--blue);stroke:var(--blue-line)}
.drawing .gold{fill:var(--gold);stroke:var(--gold-line)}
.drawing .green{fill:var(--green);stroke:var(--green-line)}
.drawing .plain{fill:none;stroke:var(--faint);stroke-dasharray:5 4}
.drawing .a{fill:none;stroke:var(--faint);stroke-width:1.6}
.drawing .head{fill:var(--faint)}
.drawing .axis{fill:none;stroke:var(--faint);stroke-width:.8}
.drawing .one{fill:none;stroke:var(--blue-line);stroke-width:2}
.drawing .two{fill:none;stroke:var(--green-line);stroke-width:2}
.drawing .three{fill:none;stroke:var(--red-line);stroke-width:2}
"""


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


STYLE = (
    f".drawing{{{_variables(_LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{.drawing{{{_variables(_DARK)}}}}}{_RULES}"
)
"""Hold the style sheet of every drawing."""
THEME = (
    f'html[data-theme="light"] .drawing{{{_variables(_LIGHT)}}}\n'
    f'html[data-theme="dark"] .drawing{{{_variables(_DARK)}}}\n'
)
"""Hold what a page adds whose reader chooses between light and dark."""


class Drawing:
    """Collect the parts of a picture.

    name: prefix of ids, so that pictures can share a page. width, height: in its own units.
    label: what it shows, for those who can't see it.
    """

    def __init__(self, name: str, width: float, height: float, label: str) -> None:
        self.name, self.width, self.height, self.label = name, width, height, label
        self._parts: list[str] = []

    def box(
        self, x: float, y: float, w: float, h: float, title: str, *lines: str, kind: str = "blue"
    ) -> None:
        """Draw a box with a title and lines below it; kind: its colour."""
        self._parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="6"/>'
        )
        first = y + h / 2 - 9 * len(lines) + 5
        for k, line in enumerate((title, *lines) if title else lines):
            self.text(x + w / 2, first + 18 * k, line, "s" if k else "t")

    def text(self, x: float, y: float, text: str, kind: str = "s") -> None:
        """Write a line; kind: t bold, s small, h a heading, l small from the left."""
        self._parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>')

    def arrow(self, points: Sequence[Point], label: str = "", at: Point | None = None) -> None:
        """Draw an arrow along *points*, and a label at a point of its own."""
        path = " L".join(f"{x:g} {y:g}" for x, y in points)
        head = f'marker-end="url(#{self.name}-head)"'
        self._parts.append(f'<path class="a" d="M{path}" {head}/>')
        if label and at is not None:
            self.text(*at, label)

    def line(self, points: Sequence[Point], kind: str = "axis") -> None:
        """Draw a line without a head; kind: axis, one, two or three."""
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class="{kind}" d="M{path}"/>')

    def svg(self) -> str:
        """Return the picture as text."""
        head = (
            f'<marker id="{self.name}-head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="head" d="M0 0 L10 5 L0 10 z"/></marker>'
        )
        parts = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" '
            f'aria-label="{escape(self.label, quote=True)}">\n'
            f"<style>{STYLE}</style>\n<defs>{head}</defs>\n{parts}\n</svg>\n"
        )
