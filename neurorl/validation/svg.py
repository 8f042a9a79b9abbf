"""Draw small figures as SVG text: overlaid rasters, traces, scatter plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from neurorl.backends.base import Raster
from neurorl.numerics.arrays import FloatArray

_LEFT, _BOTTOM, _TOP, _RIGHT = 44, 30, 8, 16
COLOURS = ("#0b62c4", "#d1495b", "#2a9d6f", "#8a5cd1")
_DASHES = ("", "6 3", "2 2", "8 2")


@dataclass
class _Frame:
    """Collect the parts of a figure over a range *x* across and *y* up; sizes in pixels."""

    x: tuple[float, float]
    y: tuple[float, float]
    height: float
    across: float = 580.0
    parts: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        right = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return _LEFT + right * self.across, _TOP + (1 - up) * self.height

    def path(self, points: Sequence[tuple[float, float]], stroke: str, **style: str) -> None:
        """Draw a line through points."""
        places = (self.at(*point) for point in points)
        drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        told = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
        self.parts.append(f'<path d="M{drawn}" stroke="{stroke}" fill="none"{told}/>')

    def circle(self, x: float, y: float, radius: float, style: str) -> None:
        """Draw a circle around a point."""
        right, down = self.at(x, y)
        self.parts.append(f'<circle cx="{right:.1f}" cy="{down:.1f}" r="{radius}" {style}/>')

    def drawn(self, label: str, ticks: Sequence[tuple[float, str]], name: str, up: str) -> str:
        """Return the figure with its axes. ticks: values with their texts; name, up: of axes."""
        bottom, width = _TOP + self.height, _LEFT + self.across + _RIGHT
        texts = [(self.at(x, self.y[0])[0], bottom + 14, "middle", text) for x, text in ticks]
        texts += [(width - 8, bottom + 27, "end", name), (2, bottom + 27, "start", up)]
        at = '<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
        written = "".join(at.format(*place, escape(text)) for *place, text in texts)
        axes = f'<path d="M{_LEFT} {_TOP}V{bottom:.1f}H{width - 8:.0f}" stroke="#999" fill="none"/>'
        box, title = f"0 0 {width:.0f} {bottom + _BOTTOM:.0f}", escape(label)
        return (
            f'<svg viewBox="{box}" role="img" aria-label="{title}" style="max-width:{width:.0f}px">'
            f"<title>{title}</title>{axes}{written}{''.join(self.parts)}</svg>"
        )


def rasters(
    a: Raster, b: Raster, first: tuple[int, int], marked: tuple[int, int] | None, label: str
) -> str:
    """Draw two rasters ``(steps, neurons)``: grey where both spike, else in the colour of one.

    first: numbers of the first step and neuron. marked: step and neuron to draw a ring around.
    """
    (n_steps, n), (step, low) = a.shape, first
    row = max(3.0, min(9.0, 240 / n))
    frame = _Frame((step, step + n_steps), (low + n, low), row * n)
    dash = f"{max(frame.across / n_steps - 0.6, 1):.1f}"
    for spikes, colour in ((a & b, "#7d8590"), (a & ~b, COLOURS[0]), (b & ~a, COLOURS[1])):
        places = (frame.at(step + k, low + i + 0.5) for k, i in np.argwhere(spikes).tolist())
        dots = "".join(f"M{x:.1f} {y:.1f}h{dash}" for x, y in places)
        if dots:
            width = f"{max(row - 0.8, 1.5):.1f}"
            frame.parts.append(f'<path d="{dots}" stroke="{colour}" stroke-width="{width}"/>')
    if marked is not None:
        frame.circle(marked[0] + 0.5, marked[1] + 0.5, 7, 'fill="none" stroke="#111"')
    ticks = [(k + 0.5, str(k)) for k in _some(range(step, step + n_steps))]
    return frame.drawn(label, ticks, "step", f"{low} to {low + n - 1}")


def lines(
    x: Sequence[int],
    series: Sequence[tuple[str, Sequence[float]]],
    marked: int | None,
    label: str,
    axis: str,
) -> str:
    """Draw a line for each series over whole numbers *x*; marked: x of a vertical line."""
    values = [v for _, ys in series for v in ys if np.isfinite(v)]
    low, high = _range([0.0, *values])
    frame = _Frame((x[0], x[-1]), (low, high), 170.0)
    frame.path([(x[0], 0), (x[-1], 0)], "#bbb")
    if marked is not None:
        frame.path([(marked, low), (marked, high)], "#111", stroke_dasharray="3 3")
    for (_, ys), colour, dash in zip(series, COLOURS, _DASHES, strict=False):
        points = [(k, y) for k, y in zip(x, ys, strict=False) if np.isfinite(y)]
        frame.path(points, colour, stroke_width="2", stroke_dasharray=dash)
    ticks = [(k, str(k)) for k in _some(x)]
    return frame.drawn(label, ticks, axis, f"{low:.3g} to {high:.3g}")


def scatter(a: FloatArray, b: FloatArray, label: str) -> str:
    """Plot numbers of one backend against those of the other, with the diagonal."""
    some = np.unique(np.linspace(0, a.size - 1, min(a.size, 400)).astype(int))
    one, other = a.ravel()[some].tolist(), b.ravel()[some].tolist()
    low, high = _range([*one, *other])
    frame = _Frame((low, high), (low, high), 240.0, 240.0)
    frame.path([(low, low), (high, high)], "#bbb")
    for x, y in zip(one, other, strict=True):
        frame.circle(x, y, 2.2, f'fill="{COLOURS[0]}"')
    return frame.drawn(label, [(low, f"{low:.3g}"), (high, f"{high:.3g}")], "", "")


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return low, high if high > low else low + 1.0


def _some(x: Sequence[int]) -> list[int]:
    """Return about six of many numbers, for the ticks of an axis."""
    return [int(k) for k in x[:: max(1, -(-len(x) // 6))]]
