"""List what was tried for the presets, on seeds that are not reported."""

from __future__ import annotations

from typing import Any

from experiments.grid import Overrides, preset_grid, seeds
from neurorl.models.features import PlaceCells, Tiles

_CART = {"initial_output": 0.2, "policy.beta": 0.3, "critic.alpha": 0.05, "lambda_actor": 0.9}
_CART_CHOSEN = {**_CART, "policy.beta": 0.15, "critic.alpha": 0.1}
_CAR_LOW, _CAR_HIGH = (-1.2, -0.07), (0.6, 0.07)


_PLACES = {
    "cells": PlaceCells(10, 10, start=1),
    "window": 8,
    "policy.beta": 0.2,
    "schedule.end": 0.1,
    "schedule.episodes": 400,
}


def _car(beta: float, alpha: float, **others: Any) -> Overrides:
    """Return a setting without a hidden layer, the rate falling to a tenth over *rate_episodes*."""
    return {
        "policy.beta": beta,
        "alpha_output": alpha,
        "cells": Tiles(_CAR_LOW, _CAR_HIGH, 4, 6),
        "actors": 10,
        "schedule.end": 0.1,
        "schedule.episodes": 600,
        **others,
    }


PRESET_GRIDS = (
    preset_grid(
        "cartpole-lif-chip",
        140,
        seeds(10),
        {
            "io02": {**_CART, "initial_output": 0.02},
            "io02-c1": {**_CART, "initial_output": 0.02, "critic.alpha": 0.1},
            "io02-c1-l5": {
                **_CART,
                "initial_output": 0.02,
                "critic.alpha": 0.1,
                "lambda_actor": 0.5,
            },
            "io10-c1": {**_CART, "initial_output": 0.1, "critic.alpha": 0.1},
            "b15-c1": _CART_CHOSEN,
        },
        "b15-c1",
    ),
    preset_grid(
        "cartpole-lif-chip-confirmed", 150, seeds(30, 110), {"b15-c1": _CART_CHOSEN}, "b15-c1"
    ),
    preset_grid("cartpole-lif", 140, seeds(10), {"b15-c1": _CART_CHOSEN}, "b15-c1"),
    preset_grid(
        "gridworld-glm",
        600,
        seeds(7),
        {
            "pc8-b02": {**_PLACES, "initial_output": 0.5, "modulator.limit": None},
            "pc8-b02-io01": {**_PLACES, "initial_output": 0.1, "modulator.limit": None},
            "pc8-b02-io01-m2": {**_PLACES, "initial_output": 0.1, "modulator.limit": 2.0},
        },
        "pc8-b02-io01-m2",
    ),
    preset_grid(
        "gridworld-glm-confirmed",
        600,
        seeds(30, 107),
        {"pc8-b02-io01-m2": {**_PLACES, "initial_output": 0.1, "modulator.limit": 2.0}},
        "pc8-b02-io01-m2",
    ),
    preset_grid(
        "mountaincar-glm",
        600,
        seeds(6),
        {
            "b1d": _car(1.0, 1.0),
            "b05d": _car(0.5, 1.0),
            "b05a2d": _car(0.5, 2.0),
            "b05a2t8d": _car(0.5, 2.0, cells=Tiles(_CAR_LOW, _CAR_HIGH, 8, 6)),
            "b05a4d": _car(0.5, 4.0),
            "b025a2p20d": _car(0.25, 2.0, actors=20),
            "b03a6d": _car(0.3, 6.0),
            "t88b05a4d": _car(0.5, 4.0, cells=Tiles(_CAR_LOW, _CAR_HIGH, 8, 8)),
        },
        "",
    ),
    preset_grid("mountaincar-glm-34-seeds", 600, seeds(34, 106), {"b05a4d": _car(0.5, 4.0)}, ""),
    preset_grid(
        "mountaincar-glm-1200-episodes",
        1200,
        seeds(30),
        {"b05a1d": _car(0.5, 1.0, **{"schedule.episodes": 1200})},
        "b05a1d",
    ),
    preset_grid(
        "mountaincar-glm-more",
        600,
        seeds(20),
        {
            "t84b05a4d": _car(0.5, 4.0, cells=Tiles(_CAR_LOW, _CAR_HIGH, 8, 4)),
            "t88b05a4d": _car(0.5, 4.0, cells=Tiles(_CAR_LOW, _CAR_HIGH, 8, 8)),
            "b05a4c3d": _car(0.5, 4.0, **{"critic.alpha": 0.3}),
            "p20b03a3d": _car(0.3, 3.0, actors=20),
            "b05a4c03d": _car(0.5, 4.0, **{"critic.alpha": 0.03}),
        },
        "",
    ),
    preset_grid(
        "mountaincar-lif",
        600,
        seeds(6),
        {
            "h0t88b15a4d": _car(
                0.15, 4.0, cells=Tiles(_CAR_LOW, _CAR_HIGH, 8, 8), hidden=0, alpha_hidden=1.2
            ),
            "b15a2d": _car(0.15, 0.72, alpha_hidden=2.4),
            "b03a1d": _car(0.3, 0.36, alpha_hidden=1.2),
        },
        "",
    ),
    preset_grid("mountaincar-lif-1000-episodes", 1000, seeds(6), {"preset": {}}, "preset"),
    preset_grid(
        "mountaincar-lif-more",
        600,
        seeds(10, 106),
        {"b15a2d": _car(0.15, 0.72, alpha_hidden=2.4)},
        "",
    ),
)
