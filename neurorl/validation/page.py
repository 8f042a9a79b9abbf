"""Write a validation as one HTML file that needs nothing else, for a browser or a phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from neurorl.backends.spec import BackendSpec
from neurorl.cli.output import cell
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData
from neurorl.validation import svg
from neurorl.validation.compare import places
from neurorl.validation.explain import Explanation
from neurorl.validation.history import History
from neurorl.validation.result import Result
from neurorl.validation.tolerance import REMEDY, worst

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
    body = ""
    for k, row in enumerate(rows):
        cells = "".join(_cell(name, value) for name, value in zip(names, row, strict=True))
        mark = ' class="here"' if k < len(here) and here[k] else ""
        body += f"<tr{mark}>{cells}</tr>"
    whole = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{whole}</table></div>'


def _cell(name: str, value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = value if isinstance(value, Markup) else escape(cell(value))
    kind = ' class="number"' if number else ""
    return f'<td data-name="{escape(name)}"{kind}>{shown}</td>'


_STEPS, _NEURONS = 60, 48  # of a raster
_NUMBERS = {
    "input": "input",
    "current": "current",
    "level": "membrane and noise",
    "threshold": "threshold",
    "voltage": "membrane after",
    "refractory": "dead steps",
}


def page(result: Result) -> str:
    """Return a validation as HTML; the same text for the same inputs."""
    report = result.to_dict()
    lacks, (one, *others) = ", ".join(report["missing"]), report["backends"]
    learned = f" and {report['updates']} updates of the weights" if report["updates"] else ""
    summary = (
        f"{', '.join(others)} against {one}: the same inputs and noise, seed {report['seed']}, "
        f"{report['steps']} steps in {report['windows']} windows{learned}."
    )
    said = ("both", f"{result.recordings[0].spec.label} only", "the other only.")
    body = [
        f"<h1>{escape(report['subject'])} {badge(report['verdict'])}</h1>",
        f"<p>{escape(summary)}</p>",
        *(f"<pre>{escape(line)}</pre>" for line in [report["command"]] if line),
        *(
            [f"<p>Without {lacks} some distances are missing: {escape(REMEDY)}</p>"]
            if lacks
            else []
        ),
        *(f"<p>Left out: {escape(s['backend'])}: {escape(s['why'])}</p>" for s in result.skipped),
        *(f"<p>Note: {escape(note)}</p>" for note in result.notes),
        "<h2>Verdicts</h2>",
        _verdicts(result),
        *(["<h2>Why they differ</h2>"] if result.explanations else []),
        *(_explained(e) for e in result.explanations),
        "<h2>Spikes</h2>",
        _keys("Spikes of ", zip(said, ("#7d8590", *svg.COLOURS), strict=False)),
        *(_spikes(result, other) for other in result.recordings[1:]),
        *_membranes(result),
        "<h2>Rates and weights</h2>",
        *(_rates_and_weights(result, other) for other in result.recordings[1:]),
        *_training(result),
        "<h2>Versions</h2>",
        table(("package", "version"), [list(item) for item in report["versions"].items()], "cards"),
    ]
    title = escape(f"{report['subject']}: {report['verdict']}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _verdicts(result: Result) -> str:
    """Return a table for each pair of backends."""
    parts = []
    for other in result.recordings[1:]:
        rows = [row for row in result.rows if row["backend_b"] == other.spec.label]
        heading = f"{result.recordings[0].spec.label} and {other.spec.label}"
        parts.append(f"<h3>{escape(heading)} {badge(worst(r['verdict'] for r in rows))}</h3>")
        names = ("what", "verdict", "difference", "tolerance", "first", "cause")
        parts.append(table(names, [_verdict_cells(row) for row in rows], "cards"))
    return "".join(parts)


def _verdict_cells(row: PlainData) -> list[Any]:
    quantity = f"{row['quantity']} of {row['projection'] or row['population']}"
    shown = Markup(badge(row["verdict"]))
    if row["verdict"] == "exact":
        return [quantity, shown, "", "", "", ""]
    numbers = ["" if row[key] is None else row[key] for key in ("difference", "tolerance")]
    first = ", ".join(places(row["first_divergence"]))
    return [quantity, shown, *numbers, first, row["cause"] or ""]


def _explained(e: Explanation) -> str:
    head = escape(f"{e.population}, neuron {e.neuron}, step {e.step}: {e.cause}")
    told = f'<h3>{head}</h3><div class="cause">{escape(e.detail)}</div>'
    if not e.numbers:
        return told
    steps = [row["step"] for row in e.numbers]
    margins = [(side, [row[side]["margin"] for row in e.numbers]) for side in ("a", "b")]
    drawn = f"membrane with noise less threshold, {e.population} {e.neuron}"
    cells, here = [], []
    for row in e.numbers:
        for side, label in (("a", e.backend_a), ("b", e.backend_b)):
            values = [row[side][name] for name in _NUMBERS]
            shown, expected = ("yes" if row[side][k] else "no" for k in ("spike", "expected_spike"))
            shown += "" if shown == expected else f" (expected {expected})"
            cells.append([row["step"], label, *values, shown])
            here.append(row["diverges"])
    text = (
        f"{e.backend_a} (blue) and {e.backend_b} (red, dashed); first in its {e.variable}, in step "
        f"{e.step_in_window} of window {e.window}; {e.checked} steps were replayed and predicted. "
        "Drawn is what a threshold sees: the membrane with its noise, less the threshold. This and "
        "the input are what the description makes of the spikes and the state that the backend had."
    )
    names = ("step", "backend", *_NUMBERS.values(), "spike")
    shown = svg.lines(steps, margins, e.step, drawn, "step") + table(names, cells, "numbers", here)
    return f"{told}<p>{escape(text)}</p>{shown}"


def _spikes(result: Result, other: History) -> str:
    base = result.recordings[0]
    parts = []
    for row in result.rows:
        if row["quantity"] != "spikes" or row["backend_b"] != other.spec.label:
            continue
        name, place = row["population"], row["first_divergence"]
        n_steps = len(base.rasters[name])
        first = 0 if place is None else max(0, min(place["step"] - _STEPS // 3, n_steps - _STEPS))
        low = 0 if place is None else place["neuron"] // _NEURONS * _NEURONS
        part = (slice(first, first + _STEPS), slice(low, low + _NEURONS))
        marked = None if place is None else (place["step"], place["neuron"])
        label = f"{name}: {base.spec.label} and {other.spec.label}"
        one, two = base.rasters[name][part], other.rasters[name][part]
        shown = svg.rasters(one, two, (first, low), marked, label)
        some = f", {_STEPS} steps from {first}, neurons from {low}"
        named = {"van Rossum": "van_rossum", "SPIKE": "spike_distance"}
        named["differing spikes"] = "differing_spikes"
        told = [f"{name} {cell(row[key])}" for name, key in named.items()]
        told.append(f"spikes {row['spikes_a']} | {row['spikes_b']}")
        told.append(f"rate {row['rate_a_hz']:.4g} | {row['rate_b_hz']:.4g} Hz")
        counted = f"<p>{escape('; '.join(told))}</p>"
        parts.append(f"<h3>{escape(label)}{some}</h3>{shown}{counted}")
    return "".join(parts)


def _membranes(result: Result) -> list[str]:
    """Draw the membrane of the neuron that diverges first, or of neuron 0, on all backends."""
    parts, traces = ["<h2>Membranes</h2>"], result.traces
    steps = range(min(_STEPS, traces[0].n_steps))
    for population in result.subject.network.populations:
        name = population.name
        rows = (r for r in result.rows if (r["quantity"], r["population"]) == ("membrane", name))
        place = next((r["first_divergence"] for r in rows if r["first_divergence"]), None)
        neuron, series = 0 if place is None else place["neuron"], []
        # The voltage of neurons with equations is their first variable.
        variable = next(v for v in traces[0].calls[0].after[name] if v != "current")
        for t in traces:  # in the description's units
            shown = np.asarray(t.after(name, variable) / t.arithmetic.membrane_unit(name))
            series.append((t.spec.label, shown[: len(steps), neuron].astype(float).tolist()))
        label = f"membrane of {name}, neuron {neuron}, after each step"
        parts.append(f"<h3>{escape(label)}</h3>{_legend(result)}")
        parts.append(svg.lines(steps, series, None, label, "step"))
    return parts


def _legend(result: Result) -> str:
    names = (r.spec.label for r in result.recordings)
    return _keys("", zip(names, svg.COLOURS, strict=False))


def _keys(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    keys = (f'<span style="background:{c}"></span>{escape(name)}' for name, c in pairs)
    return f'<p class="key">{title}{"".join(keys)}</p>'


def _rates_and_weights(result: Result, other: History) -> str:
    base, dt = result.recordings[0], result.subject.network.dt
    parts = []
    pair = base.spec, other.spec
    for name in base.rasters:
        a, b = (r.rasters[name].mean(axis=0) / dt for r in (base, other))
        parts.append(_scatter(a, b, f"rates of {name}, Hz", pair))
    for name, weights in base.weights.items():
        parts.append(_scatter(weights, other.weights[name], f"weights of {name}", pair))
    return "".join(parts)


def _scatter(a: Array, b: Array, of: str, pair: tuple[BackendSpec, BackendSpec]) -> str:
    label = f"{of}: {pair[0].label} across, {pair[1].label} up"
    if np.array_equal(a, b):
        return f"<p>{escape(label)}: all {a.size} equal.</p>"
    return f"<h3>{escape(label)}</h3>{svg.scatter(a, b, label)}"


def _training(result: Result) -> list[str]:
    if not result.trainings:
        return []
    parts, base = ["<h2>Learning</h2>"], result.trainings[0]
    series = [(t.spec.label, t.returns) for t in result.trainings]
    longest = max(len(t.returns) for t in result.trainings)
    if longest:
        label = "returns of episodes"
        drawn = svg.lines(range(longest), [s for s in series if s[1]], None, label, "episode")
        parts.append(f"<h3>{escape(label)}</h3>{_legend(result)}{drawn}")
    for other in result.trainings[1:]:
        for key, last in base.last.items():
            if key[0] == "weights":
                of = f"learned weights of {key[1]}"
                parts.append(_scatter(last, other.last[key], of, (base.spec, other.spec)))
    return parts
