"""Choose step sizes and eligibilities of an agent that learns a table, by its cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorl.models.defaults.reward_scales import LEAST_GAMMA
from neurorl.models.features import Concat, Features, HashedStates, Select, Tiles
from neurorl.models.features.image_cells import ImageCells

__all__ = ["TABLES", "rates_of", "rates_of_numbers"]

TABLES: Mapping[str, Mapping[str, Any]] = {
    "lif": {
        "alpha_output": 0.3,
        "policy.beta": 0.1,
        "initial_output": 0.02,
        "critic.alpha": 0.1,
        "lambda_actor": 0.2,
        "critic.lambda_": 0.8,
    },
    "glm": {"alpha_output": 1.0, "policy.beta": 0.5, "initial_output": 0.1, "window": 2},
    "lif-spiking-critic": {"alpha_output": 0.15, "policy.beta": 0.1, "initial_output": 0.02},
}
"""Map each model to its defaults for tasks where each state has cells of its own. The output learns
a table, so there are no hidden units, and no bias, which would spike in every step and drown the
state. Short eligibilities, of the critic too, chosen on slippery lakes and cliffs and a windy grid,
seeds 100 to 119."""

_HASHED: Mapping[str, Mapping[str, Any]] = {
    **TABLES,
    "lif": {**TABLES["lif"], "lambda_actor": 0.5, "critic.lambda_": 0.9},
}
"""Let eligibilities last longer for observations that come back: one observation may belong to
several states, such as a view in a maze, so the critic can't predict what comes next."""
_TILED: Mapping[str, Mapping[str, Any]] = {
    **TABLES,
    "lif": {**_HASHED["lif"], "alpha_output": 0.6, "lambda_actor": 0.85},
}
_MOST_GRIDS = 24
"""Let rates fall as 1 over the number of sets of tilings, from so many sets on."""
_IMAGES: Mapping[str, Mapping[str, Any]] = {
    **TABLES,
    "lif": {**_TILED["lif"], "lambda_actor": 0.9},
}
_OF_IMAGES = 0.33
"""Multiply rates by this for images, whose cells are redundant over several scales. With the rate
of tiles an agent of Catch (10 x 10 pixels) settled on an action before it had learned."""
_NUMBERS = {"alpha_hidden": 5.0, "critic.alpha": 0.1, "lambda_actor": 0.8}
"""Set the rates for actions that are numbers, with an `alpha_output` of 1 for few tiles; chosen on
Pendulum-v1, seed 100."""
_NATURAL, _NATURAL_FALL, _LEAST_NATURAL = 3.0, 1.25, 0.4
"""Multiply that `alpha_output` by 3 (100 / horizon)**1.25, at least by 0.4, if feedback shrinks
with exploration: noise of TD errors adds up over a horizon. Chosen on Pendulum-v1, Reacher-v5 and
LunarLander-v3 by numbers, seeds 100 to 103.
"""


def rates_of(cells: Features, model: str) -> dict[str, Any]:
    """Return the default rates of a model for an agent with these cells."""
    rates = dict(_of_kind(cells)[model])
    return {**rates, "alpha_output": round(rates["alpha_output"] * _share(cells), 3)}


def _of_kind(cells: Features) -> Mapping[str, Mapping[str, Any]]:
    if isinstance(cells, ImageCells):
        return _IMAGES
    if isinstance(cells, Select):
        return _TILED
    return _HASHED if isinstance(cells, HashedStates) else TABLES


def rates_of_numbers(cells: Features | None, gamma: float | None) -> dict[str, Any]:
    """Return the rates for actions that are numbers.

    gamma: the discount, if feedback shrinks with the exploration; None if it doesn't.
    """
    if gamma is None:
        return {**_NUMBERS, "alpha_output": _share(cells)}
    near = min(1.0, max(0.0, 1.0 - gamma) / (1.0 - LEAST_GAMMA))
    rate = max(_NATURAL * near**_NATURAL_FALL, _LEAST_NATURAL)
    return {**_NUMBERS, "alpha_output": round(rate * _share(cells), 3)}


def _share(cells: Features | None) -> float:
    """Return the factor of rates, 1 for few tiles."""
    if isinstance(cells, ImageCells):
        return _OF_IMAGES
    parts = cells.of.parts if isinstance(cells, Select) and isinstance(cells.of, Concat) else ()
    grids = sum(isinstance(part, Tiles) for part in parts)
    return round(min(1.0, _MOST_GRIDS / grids), 2) if grids else 1.0
