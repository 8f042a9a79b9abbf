"""Choose what an agent with shared hidden layers sees, by the space of its observations."""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.models.agent.critics import Layers
from neurorl.models.agent.encoders import Current, Once
from neurorl.models.agent.gaussian_policy import GaussianReadout
from neurorl.models.agent.policies import Softmax
from neurorl.models.agent.schedules import HarmonicDecay
from neurorl.models.deep.normalisation import Pool
from neurorl.models.deep.observations import AsSeen, Standardised
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.step_size import RootMeanSquare
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.boxes import box_of, short
from neurorl.models.defaults.images import background
from neurorl.models.defaults.observations import default_cells, seen_parts
from neurorl.models.features import Features, Raw, SelectParts
from neurorl.models.features.of_others import BlockMeans, blocks_for
from neurorl.models.neurons.leaky import LIF
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.kinds import Environment, Space

DEEP: PlainData = {
    "neuron": LIF(tau_mem=0.0),
    "rule": "spikes-only",  # of modules, which it hasn't
    "trunk": Shared(),
    "critic": Layers(),
    "modulator.limit": 2.0,
    "hidden": 128,
    "weight_bound": 2.0,
    "gamma": 0.99,
    "lambda_actor": 0.8,
    "alpha_hidden": 2e-4,
    "alpha_output": 2e-4,
    "reward_scale": 1.0,
}
"""Map fields of agents with shared hidden layers to their values, whatever the task."""

_SLOPE = 6.0
"""Let hidden neurons learn nearer to their thresholds where no image is seen: with 3, parity and
Pendulum-v1 learn less, seeds 100 to 105. MinAtar's games, seeds 100 to 102, gain nothing by it."""
_NUMBERS: PlainData = {
    "trunk": Shared(observations=Standardised(), normalisation=Pool(), centring=0.0, slope=_SLOPE),
    "encoder": Current(),
    "schedule": HarmonicDecay(150_000),  # LunarLander-v3, seeds 100 to 102, fell back without
    "alpha_hidden": 3e-4,
    "alpha_output": 3e-4,
    "lambda_actor": 0.95,
    "critic": Layers(alpha=3e-4, lambda_=0.95),
}
_ON_CELLS, _STEP_ON_CELLS, _KEEP_ON_CELLS = 64, 3e-4, 0.9997
"""Let 64 neurons see tiles. Chosen on a satellite, a reactor, tanks, parking, a swing-up and
CartPole-v1, seeds 100 to 107: with 32 or 128 neurons, or steps of 4e-4, some learn less. Mean
squares last for some 3,000 decisions: those of 1,000 are forgotten where nothing goes wrong for a
while, and the next failure changes too much (CartPole-v1, seeds 100 to 109); by those of 10,000
LunarLander-v3 is learned later."""
_OF_IMAGES: PlainData = {
    "hidden": 64,
    "alpha_hidden": 4e-4,
    "alpha_output": 4e-4,
    "critic": Layers(hidden=64, alpha=4e-4),
}
_POOLED = Shared(observations=AsSeen(), normalisation=Pool(), centring=0.0)
_SIDE, _FILTERS, _ENTROPY, _MEANS = 3, 8, 5e-3, 1e-4
"""Let 8 neurons see each 3 x 3 patch of an image. Chosen on MinAtar's Breakout, SpaceInvaders and
Asterix, seeds 100 and 101, as are the steps and the entropy; the rate at which drives' means
follow, on Freeway and SpaceInvaders, seed 100."""
_WIDEST = 1e6  # a range of pixels; the least and the largest float of a type stand for none
_NARROW = 0.5
_MOST_PLACES = 2_000
"""See larger images by the means of at most so many blocks."""


def deep_defaults(env: Environment, *, sees_patches: bool | None = None) -> PlainData:
    """Return the fields that follow from an environment's spaces.

    sees_patches: whether rows and columns of numbers are an image; None for what the space says.

    Images and numbers of states enter as they are: as spikes where they are 0 or 1, else as
    currents. Other numbers are measured in running deviations. Where actions are numbers, steps
    slow sooner: Pendulum-v1, seeds 100 to 104, fell back when they did not.
    """
    space = env.observation_space
    is_image = has_patches(space) if sees_patches is None else sees_patches
    seen = _of_image(space) if is_image else _of_numbers(space)
    fields = {**seen, "features": seen["cells"], "policy": Softmax(1.0), "window": 2}
    if isinstance(env.action_space, gym.spaces.Box):
        fields |= {"policy": GaussianReadout(), "schedule": HarmonicDecay(40_000)}
    return fields


def deep_on(cells: Features, lambda_: float, of_critic: float, repeats: PlainData) -> PlainData:
    """Return the fields of hidden layers that see *cells*, each 0 or 1, where actions are choices.

    lambda_, of_critic: decay of the actor's and the critic's eligibilities. repeats: fields of the
    policy.
    """
    return {
        **DEEP,
        "cells": cells,
        "features": cells,
        "encoder": Once(),
        "window": 3,
        "hidden": _ON_CELLS,
        "alpha_hidden": _STEP_ON_CELLS,
        "alpha_output": _STEP_ON_CELLS,
        "schedule": HarmonicDecay(150_000),
        "trunk": dataclasses.replace(
            _POOLED, slope=_SLOPE, entropy=1e-3, step_size=RootMeanSquare(keep=_KEEP_ON_CELLS)
        ),
        "policy": Softmax(1.0, **repeats),
        "lambda_actor": lambda_,
        "critic": Layers(hidden=_ON_CELLS, alpha=_STEP_ON_CELLS, lambda_=of_critic),
    }


def on_background(cells: Features, rows: FloatArray, channels: int) -> Features:
    """Return cells of images, or of means of their blocks, that measure pixels from usual ones.

    The unit is the largest distance that was seen where the declared one is over twice as much, or
    less. rows, channels: as of `background`.
    """
    of = cells.of if isinstance(cells, BlockMeans) else cells
    assert isinstance(of, Raw)
    low = of.usual[0] if of.usual else 0.0
    usual = background(rows, channels, low)
    most = float(np.abs(rows - np.resize(usual or (0.0,), rows.shape[1])).max())
    is_narrow = 0.0 < most < _NARROW * of.unit
    unit = float(short([most])[0]) if is_narrow or most > of.unit else of.unit
    of = dataclasses.replace(of, unit=unit, usual=usual)
    return dataclasses.replace(cells, of=of) if isinstance(cells, BlockMeans) else of


def with_traces(fields: Named, traces: tuple[float, ...]) -> PlainData:
    """Return the fields of layers that see traces of images, too; empty if they see no patches."""
    cells, trunk, n = fields["cells"], fields["trunk"], 1 + len(traces)
    if not traces or trunk.patches is None:
        return {}
    of = cells.of if isinstance(cells, BlockMeans) else cells
    assert isinstance(of, Raw)
    seen: Features = dataclasses.replace(of, n=n * of.n)
    if isinstance(cells, BlockMeans):
        seen = BlockMeans(seen, (n, *cells.shape), (n, *cells.blocks))
    patches = dataclasses.replace(trunk.patches, images=n * trunk.patches.images)
    trunk = dataclasses.replace(trunk, patches=patches)
    encoder = Current()  # traces are no flags
    fields = {"cells": seen, "features": seen, "encoder": encoder, "trunk": trunk}
    return {**fields, "traces": traces}


def has_patches(space: Space, is_played: bool = False) -> bool:
    """Return whether observations are rows and columns of numbers in a range, or several such.

    Those of two axes begin at 0; others may be rows of measurements. is_played: whether a first
    play shows the range of more axes.
    """
    if not isinstance(space, gym.spaces.Box) or len(space.shape) not in (2, 3, 4):
        return False
    low = -_WIDEST if len(space.shape) > 2 else 0.0
    is_bounded = space.is_bounded() and (space.low >= low).all()
    has_range = is_bounded or (is_played and len(space.shape) > 2)
    return bool(has_range) and min(_images(space, space.shape)[1][:2]) >= _SIDE


def _images(space: Space, blocks: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Return how many images there are in blocks of a space, and the shape of each.

    Channels come last, but for a first axis of three that is shorter than both others: it holds
    images of one channel, such as frames that a wrapper stacks, as does the first axis of four.
    """
    shape = space.shape or ()
    is_stack = len(shape) == 4 or (len(shape) == 3 and shape[0] < min(shape[1:]))
    images, each = (blocks[0], blocks[1:]) if is_stack else (1, blocks)
    return images, (*each, 1)[:3]


def _of_image(space: Any) -> PlainData:
    blocks = blocks_for(space.shape, _MOST_PLACES)
    low = min(float(space.low.min()), 0.0)  # until an image is seen
    unit = float(space.high.max()) - low
    if not unit <= _WIDEST:
        low, unit = 0.0, 1.0
    of = Raw(int(np.prod(blocks)), unit or 1.0, (low,) if low else ())
    is_sharp = space.dtype.kind == "b" and blocks == space.shape
    images, shape = _images(space, blocks)
    patches = Patches(shape, _SIDE, _FILTERS, images)
    pool = Pool(rate=_MEANS)
    trunk = dataclasses.replace(_POOLED, normalisation=pool, entropy=_ENTROPY, patches=patches)
    return {
        "cells": of if blocks == space.shape else BlockMeans(of, space.shape, blocks),
        "encoder": Once() if is_sharp else Current(),
        "trunk": trunk,
        **_OF_IMAGES,
    }


def _of_numbers(space: Space) -> PlainData:
    if isinstance(space, gym.spaces.Box) and space.dtype is not None and space.dtype.kind != "b":
        return {"cells": Raw(int(np.prod(space.shape))), **_NUMBERS}
    parts, whole = seen_parts(space), box_of(space)
    if whole is not None and any(isinstance(part, gym.spaces.Box) for part in parts.values()):
        n = whole.shape[0]
        return {"cells": SelectParts(Raw(n), tuple(range(n)), n, tuple(parts)), **_NUMBERS}
    is_flags = isinstance(space, (gym.spaces.Box, gym.spaces.MultiBinary))
    cells = Raw(int(np.prod(space.shape or 1))) if is_flags else default_cells(space)
    trunk = dataclasses.replace(_POOLED, slope=_SLOPE)
    return {"cells": cells, "encoder": Once(), "trunk": trunk}
