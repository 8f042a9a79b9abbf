"""Draw small figures as SVG text: overlaid rasters, traces, scatter plots."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster
from neurorl.numerics.arrays import FloatArray

__all__ = ["COLOURS", "lines", "rasters", "scatter"]

_WIDTH, _LEFT, _BOTTOM, _TOP = 640, 44, 30, 8
COLOURS = ("#0b62c4", "#d1495b", "#2a9d6f", "#8a5cd1")


def rasters(
    a: Raster, b: Raster, first: tuple[int, int], marked: tuple[int, int] | None, label: str
) -> str:
    """Draw two rasters ``(steps, neurons)``: grey where both spike, else in the colour of one.

    first: numbers of the first step and neuron. marked: step and neuron to draw a ring around.
    """
    n_steps, n = a.shape
    row = max(3.0, min(9.0, 240 / n))
    height, column = row * n, (_WIDTH - _LEFT - 8) / n_steps
    ticks = _ticks(first[0], first[0] + n_steps)
    parts = [_axes(height, ticks, "step", f"{first[1]} to {first[1] + n - 1}")]
    for spikes, colour in ((a & b, "#7d8590"), (a & ~b, COLOURS[0]), (b & ~a, COLOURS[1])):
        dots = "".join(
            f"M{_LEFT + k * column:.1f} {_TOP + (i + 0.5) * row:.1f}h{max(column - 0.6, 1):.1f}"
            for k, i in zip(*np.nonzero(spikes), strict=True)
        )
        if dots:
            width = max(row - 0.8, 1.5)
            parts.append(f'<path d="{dots}" stroke="{colour}" stroke-width="{width:.1f}"/>')
    if marked is not None:
        x = _LEFT + (marked[0] - first[0] + 0.5) * column
        y = _TOP + (marked[1] - first[1] + 0.5) * row
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="#111"/>')
    return _svg(height, parts, label)


def lines(
    x: Sequence[int],
    series: Sequence[tuple[str, Sequence[float]]],
    marked: int | None,
    label: str,
    axis: str,
) -> str:
    """Draw a line for each series over whole numbers *x*; marked: x of a vertical line."""
    height = 170.0
    values = np.array([v for _, ys in series for v in ys if np.isfinite(v)] or [0.0])
    low, high = float(min(values.min(), 0.0)), float(max(values.max(), 0.0))
    high = high if high > low else low + 1.0
    span = max(x[-1] - x[0], 1)

    def at(k: float, y: float) -> str:
        across = _LEFT + (k - x[0]) / span * (_WIDTH - _LEFT - 16)
        return f"{across:.1f} {_TOP + (high - y) / (high - low) * height:.1f}"

    ticks = [(_LEFT + (k - x[0]) / span * (_WIDTH - _LEFT - 16), str(k)) for k in _some(x)]
    parts = [_axes(height, ticks, axis, f"{low:.3g} to {high:.3g}")]
    parts.append(f'<path d="M{at(x[0], 0)}L{at(x[-1], 0)}" stroke="#bbb" fill="none"/>')
    if marked is not None:
        parts.append(
            f'<path d="M{at(marked, low)}L{at(marked, high)}" stroke="#111" '
            'stroke-dasharray="3 3" fill="none"/>'
        )
    for (_, ys), colour, dash in zip(series, COLOURS, ("", "6 3", "2 2", "8 2"), strict=False):
        points = "L".join(at(k, y) for k, y in zip(x, ys, strict=False) if np.isfinite(y))
        parts.append(
            f'<path d="M{points}" stroke="{colour}" stroke-width="2" fill="none" '
            f'stroke-dasharray="{dash}"/>'
        )
    return _svg(height, parts, label)


def scatter(a: FloatArray, b: FloatArray, label: str) -> str:
    """Plot numbers of one backend against those of the other, with the diagonal."""
    height = 240.0
    some = np.unique(np.linspace(0, a.size - 1, min(a.size, 400)).astype(int))
    one, other = a.ravel()[some], b.ravel()[some]
    low = float(min(one.min(), other.min()))
    high = float(max(one.max(), other.max()))
    high = high if high > low else low + 1.0
    wide = height  # square

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (x - low) / (high - low) * wide
        return across, _TOP + (high - y) / (high - low) * height

    corners = (at(low, low), at(high, high))
    ticks = [(corners[0][0], f"{low:.3g}"), (corners[1][0], f"{high:.3g}")]
    width = _LEFT + wide + 24
    parts = [_axes(height, ticks, "", "", width)]
    parts.append(
        '<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}" stroke="#bbb"/>'.format(*corners[0], *corners[1])
    )
    for x, y in zip(one.tolist(), other.tolist(), strict=True):
        across, up = at(x, y)
        parts.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="2.2" fill="{COLOURS[0]}"/>')
    return _svg(height, parts, label, width)


def _svg(height: float, parts: Sequence[str], label: str, width: float = _WIDTH) -> str:
    box = f"0 0 {width:.0f} {height + _TOP + _BOTTOM:.0f}"
    title = escape(label)
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{title}" style="max-width:{width:.0f}px">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )


def _axes(
    height: float,
    ticks: Sequence[tuple[float, str]],
    across: str,
    up: str,
    width: float = _WIDTH,
) -> str:
    bottom = _TOP + height
    texts = [
        f'<text x="{x:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{escape(text)}</text>'
        for x, text in ticks
    ]
    texts.append(
        f'<text x="{width - 8:.0f}" y="{bottom + 27:.1f}" text-anchor="end">{escape(across)}</text>'
    )
    texts.append(f'<text x="2" y="{bottom + 27:.1f}">{escape(up)}</text>')
    return f'<path d="M{_LEFT} {_TOP}V{bottom:.1f}H{width - 8:.0f}" stroke="#999" fill="none"/>' + (
        "".join(texts)
    )


def _ticks(first: int, last: int) -> list[tuple[float, str]]:
    column = (_WIDTH - _LEFT - 8) / (last - first)
    return [(_LEFT + (k - first + 0.5) * column, str(k)) for k in _some(range(first, last))]


def _some(x: Sequence[int] | npt.NDArray[np.int64]) -> list[int]:
    """Return about six of many numbers, for the ticks of an axis."""
    step = max(1, -(-len(x) // 6))
    return [int(k) for k in x[::step]]
