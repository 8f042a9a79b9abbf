"""Show an agent at its task beside its spikes, as a film: a frame for each decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.agents.arguments import check_kind
from neurorl.agents.base import LearningAgent
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.numerics.random import derive, read_seed
from neurorl.storage.files import import_matplotlib, temporary_name, writing
from neurorl.storage.plain import check_count
from neurorl.tasks.actions import MASK
from neurorl.tasks.answers import mask_method
from neurorl.tasks.kinds import Shown
from neurorl.tasks.specification import rendered_env

_PLAY, _RESET = 5, 6  # purposes of derived seeds
_SHOWN_WINDOWS = 8
_SHOWN_NEURONS = 60
KINDS = {".gif": "pillow", ".mp4": "ffmpeg"}
"""Map the ending of a file to the writer of Matplotlib that makes it."""


@dataclass(frozen=True)
class Frame:
    """Hold a decision: the task's picture, the spikes of its window, and the return so far.

    picture: an image ``(height, width, 3)``, a text, or the observation. rasters: spikes by node,
    ``(window, n)``. policy: the probability of each action, empty for numbers. total: the return
    so far.
    """

    step: int
    picture: Shown
    rasters: Mapping[str, BoolArray]
    policy: FloatArray
    action: Shown
    total: float


def play_frames(
    agent: LearningAgent,
    decisions: int,
    *,
    seed: int = 0,
    backend: str | None = None,
    arithmetic: str | None = None,
    noise: str | None = None,
    explore: bool = False,
) -> list[Frame]:
    """Play one episode, of at most so many decisions, and return a frame for each.

    Other options are as in `neurorl.evaluate`. The picture is an image or a text if the task can
    render one, else its observation.
    """
    check_kind("watch, agent", agent, LearningAgent, optional=False)
    check_count("watch, decisions", decisions)
    seed = read_seed(seed, "watch.seed")
    env, render = rendered_env(agent.env)
    player = agent.player(derive(seed, _PLAY, agent.seed), backend, arithmetic, explore, noise)
    frames: list[Frame] = []
    try:
        with player.backend:
            network = player.backend.network
            nodes = [n.name for n in network.nodes if n.name not in network.analog and n.size > 1]
            observation, info = env.reset(seed=derive(seed, _RESET, 0) & 0x7FFFFFFF)
            player.begin()
            asks = mask_method(env) if agent.is_masked else None
            total, paid, is_over = 0.0, 0.0, False
            while not is_over and len(frames) < decisions:
                picture = observation if render is None else env.render()
                told = {MASK: asks()} if asks and MASK not in info else info
                mask = told.get(MASK) if agent.is_masked else None
                move = player.move(observation, mask, paid)
                action = agent.actions.taken(move.action)
                observation, reward, terminated, truncated, info = env.step(action)
                total += (paid := float(reward))
                spikes = {**move.inputs, **move.rasters}
                shown = {name: spikes[name][:, :_SHOWN_NEURONS].copy() for name in nodes}
                policy = np.array(move.policy)
                frames.append(Frame(len(frames), picture, shown, policy, action, total))
                is_over = terminated or truncated
    finally:
        env.close()
    return frames


def watch(frames: Sequence[Frame], out: str | Path, *, fps: int = 10) -> Path:
    """Write frames as a film, gif or mp4 (which needs ffmpeg); return its path.

    Raises ArgumentError for an ending that is neither, UnsupportedError without ffmpeg.
    """
    out, fps = Path(out), check_count("watch, fps", fps)
    if out.suffix.lower() not in KINDS:
        limit = " or ".join(KINDS)
        raise ArgumentError(f"film {out}", "is of an unknown kind", got=out.suffix, limit=limit)
    if not frames:
        raise ArgumentError(f"film {out}", "has no frames")
    import_matplotlib()
    from matplotlib import animation
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    writer = KINDS[out.suffix.lower()]
    if not animation.writers.is_available(writer):
        remedy = "install ffmpeg, or name a .gif"
        raise UnsupportedError(f"film {out}", f"needs {writer}", remedy=remedy)
    figure = Figure(figsize=(9.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    film = animation.writers[writer](fps=fps)
    refused = writing(f"film {out}", error=ArgumentError)
    with refused, temporary_name(out) as part, film.saving(figure, str(part), dpi=80):
        for k in range(len(frames)):
            figure.clear()
            _draw(figure, frames[max(0, k + 1 - _SHOWN_WINDOWS) : k + 1])
            film.grab_frame()
    return out


def _draw(figure: Any, frames: Sequence[Frame]) -> None:
    """Draw the last of some frames: the task on the left, the spikes of all frames on the right."""
    now = frames[-1]
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.3))
    top, bottom = left.subplots(2, 1, height_ratios=(3, 1))
    _draw_task(top, now.picture)
    top.set_title(f"step {now.step}, return {now.total:.4g}", fontsize="medium")
    if now.policy.size:
        bottom.bar(np.arange(now.policy.size), now.policy, color="0.6")
        bottom.set(xlim=(-0.5, now.policy.size - 0.5), ylim=(0, 1))
        bottom.set_xlabel(f"policy; takes {now.action}")
    else:
        bottom.axis("off")
        bottom.text(0.0, 0.5, f"takes {now.action}")
    panels = right.subplots(len(now.rasters), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, now.rasters, strict=True):
        spikes = np.concatenate([frame.rasters[name] for frame in frames])
        steps, neurons = np.nonzero(spikes)
        first = frames[0].step * len(now.rasters[name])
        axes.plot(first + steps, neurons, "|", color="black", markersize=3)
        axes.set_xlim(first, first + _SHOWN_WINDOWS * len(now.rasters[name]))
        axes.set_ylim(-0.5, spikes.shape[1] - 0.5)
        axes.set_ylabel(name, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("step of the network")


def _draw_task(axes: Any, picture: Shown) -> None:
    """Draw an image, a text, or the numbers of an observation."""
    values = np.asarray(picture) if not isinstance(picture, str) else None
    if values is not None and values.ndim == 3:
        axes.imshow(values)
        axes.axis("off")
    elif isinstance(picture, str) or values is None or values.dtype.kind not in "biuf":
        axes.axis("off")
        axes.text(0.5, 0.5, str(picture), family="monospace", ha="center", va="center", fontsize=14)
    else:
        axes.bar(np.arange(values.size), values.ravel().astype(float), color="0.4")
        axes.set_xlabel("observation", fontsize="small")
