"""Write pieces of a page in HTML: tables that become cards on a phone, badges, the style."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from neurorl.cli.output import cell

STYLE = """
:root{color-scheme:light;--line:#d8dde3;--soft:#f5f7f9}
*{box-sizing:border-box}
body{margin:0 auto;max-width:960px;padding:16px;font:16px/1.5 system-ui,sans-serif;color:#1c2128;
background:#fff;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.2em 0}h2{font-size:1.2rem;margin:1.6em 0 .4em}
h3{font-size:1rem;margin:1.2em 0 .3em}
code,pre{font:13px/1.45 ui-monospace,monospace;background:var(--soft)}
pre{padding:10px;white-space:pre-wrap;border-radius:6px}
svg{display:block;width:100%;height:auto;margin:.4em 0}
svg text{font:15px system-ui,sans-serif;fill:#444}
.verdict{display:inline-block;padding:.1em .6em;border-radius:1em;font-weight:600;font-size:.9rem;
white-space:nowrap}
.exact{background:#d7f3e3;color:#0a5c36}.within{background:#fff1c9;color:#6a4b00}
.different{background:#fbd9dc;color:#8c1022}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
table.numbers{white-space:nowrap;overflow-wrap:normal}
tr.here td{background:#fff1c9}
.key span{display:inline-block;width:.9em;height:.9em;margin:0 .35em 0 .9em;vertical-align:-1px}
.cause{border-left:4px solid #d1495b;padding:.2em 0 .2em 12px;margin:.6em 0}
@media(max-width:640px){
table.cards thead{display:none}
table.cards tr{display:grid;grid-template-columns:1fr auto;gap:0 12px;padding:6px 2px;
border-bottom:1px solid var(--line)}
table.cards td{border:0;padding:1px 0}
table.cards td:empty{display:none}
table.cards td:nth-child(1){font-weight:600}
table.cards td:nth-child(n+3){grid-column:1/-1;text-align:left;color:#444}
table.cards td:nth-child(n+3):before{content:attr(data-name) " "}
}
"""


def badge(verdict: str) -> str:
    """Return a verdict as a coloured badge."""
    return f'<span class="verdict {verdict}">{verdict}</span>'


class Markup(str):
    """Mark text that is HTML already."""


def table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], kind: str, here: Sequence[bool] = ()
) -> str:
    """Return an HTML table of class *kind*; *here*: whether to highlight each row."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = []
    for k, row in enumerate(rows):
        cells = "".join(_cell(name, value) for name, value in zip(names, row, strict=True))
        mark = ' class="here"' if k < len(here) and here[k] else ""
        body.append(f"<tr{mark}>{cells}</tr>")
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(name: str, value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = value if isinstance(value, Markup) else escape(cell(value))
    kind = ' class="number"' if number else ""
    return f'<td data-name="{escape(name)}"{kind}>{shown}</td>'
