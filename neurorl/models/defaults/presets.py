"""Make agents from presets for known tasks, and from a default for any other."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from typing import Any

import gymnasium as gym

from neurorl.errors import DescriptionError, EnvironmentWarning, check_name, warn_of
from neurorl.models import GLM, CubaLIF
from neurorl.models.actor import hidden_sizes, least_window
from neurorl.models.agent.checks import check_remembered
from neurorl.models.agent.config import AgentConfig, check_read, said_in
from neurorl.models.agent.critics import Layers
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.gaussian_policy import GaussianReadout
from neurorl.models.agent.modulators import TDError
from neurorl.models.agent.options import check_names, with_options
from neurorl.models.agent.policies import Softmax
from neurorl.models.deep.network import least_steps
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.deep import DEEP, deep_defaults, with_traces
from neurorl.models.defaults.observations import (
    default_cells,
    default_features,
    default_joint_cells,
    unseen,
)
from neurorl.models.defaults.rates import scale_of_wrapped
from neurorl.models.defaults.tasks import checked, task_defaults
from neurorl.models.features import RBF, Concat, Fourier, GaussianCells, OneHot, PlaceCells, Tiles
from neurorl.models.features.image_cells import ImageCells
from neurorl.models.features.of_others import BlockMeans
from neurorl.storage.plain import Named, PlainData, plain
from neurorl.tasks.actions import read_actions
from neurorl.tasks.kinds import Environment, Space
from neurorl.tasks.known import (
    BANDIT_ID,
    GRID_ID,
    POSITION_ONLY_ID,
    other_spaces,
    pays_otherwise,
    task_of,
)

MODELS = ("lif", "glm", "lif-spiking-critic", "deep")
ALONE = MODELS[:3]
"""Name the models whose neurons spike without a host that sets their biases."""
_SHARING = MODELS[0]
"""Name the model whose default may have shared hidden layers: what a user gets who names none."""

_LIF = CubaLIF(tau_syn=1.44e-3, tau_mem=4.48e-3, threshold=0.5, noise=0.5)
_CART_LOW = (-2.4, -3.0, -0.21, -3.0)
_CART_HIGH = (2.4, 3.0, 0.21, 3.0)
_POSITION_LOW, _POSITION_HIGH = (-2.4, -0.21), (2.4, 0.21)
_STEP_LOW, _STEP_HIGH = (-0.06, -0.06), (0.06, 0.06)  # their changes in a step of 20 ms
_CAR_LOW = (-1.2, -0.07)
_CAR_HIGH = (0.6, 0.07)

_TASKS: dict[str, PlainData] = {
    BANDIT_ID: {"reward_scale": 1.0, "critic.alpha": 0.1, "solved_at": 0.8},
    GRID_ID: {
        "gamma": 0.9,
        "reward_scale": 1.0,
        "critic.alpha": 0.1,
        "solved_at": 1.0,
        "solved_discounted": True,
    },
    "CartPole-v1": {"features": Fourier(_CART_LOW, _CART_HIGH, order=3)},
    "MountainCar-v0": {"features": Tiles(_CAR_LOW, _CAR_HIGH, 8, 8), "critic.alpha": 0.1},
}

_LIF_BASE: PlainData = {
    "neuron": _LIF,
    "rule": "spikes-only",
    "modulator.limit": 2.0,
    "window": 12,
    "trace_tau": 4.48e-3,
    "alpha_output": 0.12,
    "alpha_hidden": 0.6,
    "policy.beta": 0.25,
}
_LIF_TASKS: dict[str, PlainData] = {
    BANDIT_ID: {"hidden": 0, "policy.beta": 0.1, "alpha_output": 1.2, "initial_output": 0.02},
    GRID_ID: {
        "cells": PlaceCells(10, 10, start=1),
        "policy.beta": 0.15,
        "alpha_output": 0.1,
        "alpha_hidden": 1.0,
        "initial_output": 0.02,
        "schedule.end": 0.1,
        "schedule.episodes": 400,
    },
    "CartPole-v1": {
        "cells": GaussianCells(_CART_LOW, _CART_HIGH),
        # Initial votes differ by some 6, rarely by 20. With twice this beta such an agent is almost
        # deterministic before it has learned anything, so phi is 0 and it never learns.
        "policy.beta": 0.15,
        "critic.alpha": 0.1,
        "alpha_output": 0.36,
        "alpha_hidden": 2.4,
    },
    POSITION_ONLY_ID: {
        "cells": GaussianCells(_POSITION_LOW, _POSITION_HIGH, 12),
        "window": 6,
        # How fast the pole falls is the difference of two observations, 40 ms apart.
        "carries": True,
        "input_recalls": (2,),
        "features": Fourier((*_POSITION_LOW, *_STEP_LOW), (*_POSITION_HIGH, *_STEP_HIGH)),
        "critic.changes": 1,
        "policy.beta": 0.15,
        "critic.alpha": 0.1,
        "alpha_output": 0.36,
        "alpha_hidden": 2.4,
    },
    "MountainCar-v0": {
        "cells": Tiles(_CAR_LOW, _CAR_HIGH, 4, 6),
        "policy.beta": 0.3,
        "alpha_output": 0.36,
        "alpha_hidden": 1.2,
    },
}

# The noise of a population adds to delta, so the actor's rates are half of the above, and fall, as
# delta becomes mere noise. By chance the policy may become deterministic too early; the exploration
# brings it back.
_CRITIC_BASE: PlainData = {
    **_LIF_BASE,
    "critic": "spiking",
    "critic.alpha": 0.2,
    "policy.exploration": 0.02,
}
_CRITIC_TASKS: dict[str, PlainData] = {
    GRID_ID: {**_LIF_TASKS[GRID_ID], "features": PlaceCells(10, 10, start=1)},
    "CartPole-v1": {
        **_LIF_TASKS["CartPole-v1"],
        "features": RBF(_CART_LOW, _CART_HIGH),
        "critic.alpha": 0.2,
        "alpha_output": 0.18,
        "alpha_hidden": 1.2,
        "schedule.end": 0.05,
        "schedule.episodes": 220,
    },
    "MountainCar-v0": {**_LIF_TASKS["MountainCar-v0"]},
}

_GLM_BASE: PlainData = {
    "neuron": GLM(),
    "rule": "centred-feedback",
    "modulator.limit": 2.0,
    "window": 3,
    "signed": True,
    "initial_hidden": 0.1,
    "initial_output": 0.5,
    "weight_bound": 4.0,
    "policy.beta": 1.0,
    "alpha_output": 0.3,
    "alpha_hidden": 1.0,
}
_GLM_TASKS: dict[str, PlainData] = {
    GRID_ID: {
        # The limit of the modulator (above) keeps the first goal from deciding for all places.
        "cells": PlaceCells(10, 10, start=1),
        "window": 8,
        "policy.beta": 0.2,
        "alpha_output": 0.4,
        "alpha_hidden": 0.4,
        "initial_output": 0.1,
        "lambda_actor": 0.8,
        "critic.lambda_": 0.8,
        "schedule.end": 0.1,
        "schedule.episodes": 400,
    },
    "CartPole-v1": {
        "cells": Tiles(_CART_LOW, _CART_HIGH, 8, 3),
        "hidden": 0,
        "window": 2,
        "alpha_output": 1.0,
        "initial_output": 0.1,
    },
    "MountainCar-v0": {
        "cells": Tiles(_CAR_LOW, _CAR_HIGH, 4, 6),
        "hidden": 0,
        "window": 2,
        # At higher rates one seed in 30 settles on going left first wherever it starts.
        "policy.beta": 0.5,
        "alpha_output": 1.0,
        "initial_output": 0.1,
        "schedule.end": 0.1,
        "schedule.episodes": 1200,
    },
}


# For learning='pes': after a window of 14 steps the chip learns in the very next one, and its trace
# should still know the whole window. With no eligibility from earlier decisions, rates are higher.
_PES: PlainData = {"lambda_actor": 0.0, "window": 14, "trace_tau": 10e-3}
_PES_TASKS: dict[str, PlainData] = {GRID_ID: {"alpha_output": 0.2, "alpha_hidden": 2.0}}

_MODELS = {
    "lif": (_LIF_BASE, _LIF_TASKS),
    "glm": (_GLM_BASE, _GLM_TASKS),
    "lif-spiking-critic": (_CRITIC_BASE, _CRITIC_TASKS),
    "deep": (DEEP, {}),
}


def make_config(
    env: Environment, model: str = "lif", overrides: Named | None = None, *, can_share: bool = True
) -> AgentConfig:
    """Return the configuration for an environment: preset or default, then *overrides*.

    The preset of a task is for an environment with its id and its spaces (`neurorl.tasks.known`);
    for other spaces it is not used, and `EnvironmentWarning` says so. If a wrapper changes rewards,
    the preset's `reward_scale` follows them.

    model: ``'lif'`` (CUBA-LIF, rule spikes-only), ``'glm'`` (the papers' units, rule
    centred-feedback) or ``'lif-spiking-critic'`` (as lif, with a population as its critic).
    overrides: see `neurorl.models.agent.options.with_options`. can_share: whether hidden layers may
    serve all actions by default, as they do with the local rule.
    Raises UnknownNameError for another model or field.
    """
    check_name("model", model, MODELS)
    base, tasks = _MODELS[model]
    name = task_of(env)
    _warn_of_other_spaces(env, tasks)
    overrides = {name: plain(f"agent.{name}", value) for name, value in (overrides or {}).items()}
    check_names(overrides)
    preset: PlainData = {"model": model, **base, **_TASKS.get(name, {}), **tasks.get(name, {})}
    if isinstance(env.action_space, gym.spaces.Box):
        preset["policy"] = "gaussian"
    if _class_of("trunk", preset, overrides).is_shared:
        return _deep(env, model, overrides)
    if "trunk" in base:
        what, remedy = f"model {model!r} is made of hidden layers that are shared", "model 'lif'"
        raise DescriptionError("agent.trunk", what, got=overrides["trunk"], remedy=remedy)
    on_chip_itself = _class_of("learning", preset, overrides).on_chip
    if on_chip_itself:
        preset |= on_chip(name)
    space = env.observation_space
    joint = _class_of("critic", preset, overrides).population is not None
    if not (name in _TASKS or name in tasks or on_chip_itself):
        preset |= task_defaults(
            *(env, model, said_in(overrides)),
            spiking_critic=joint,
            can_share=can_share and model == _SHARING and _suit_layers(env, preset, overrides),
        )
    elif "reward_scale" not in overrides and pays_otherwise(env):
        usual = preset.get("reward_scale", AgentConfig.reward_scale)
        preset["reward_scale"], preset["first_play_steps"] = scale_of_wrapped(env, name, usual)
    if "solved_at" not in preset and env.spec is not None:
        preset["solved_at"] = env.spec.reward_threshold
    is_shared = _class_of("trunk", preset, overrides).is_shared
    if not ({"cells"} if is_shared else {"cells", "features"}) <= overrides.keys():
        _warn_of_unseen(space)
    if is_shared:
        return _remembering(env, _made(preset, overrides))
    if "cells" not in preset:
        preset["cells"] = default_cells(space)
        if model == "glm" and not isinstance(preset["cells"], OneHot):
            # Graded cells spike in some steps only: let the memoryless units see several.
            preset["window"] = 8
    if "features" not in preset:
        preset["features"] = default_joint_cells(space) if joint else default_features(space)
    _warn_of_means(space, {k: v for k, v in preset.items() if k not in overrides})
    return _remembering(env, _made(preset, overrides))


def _remembering(env: Environment, config: AgentConfig) -> AgentConfig:
    """Return *config*. Raises DescriptionError for cells that don't read what it remembers."""
    shape = env.observation_space.shape
    if config.past and shape is not None:
        n_chosen = len(read_actions(env).groups(1))
        check_remembered(config, math.prod(shape) + config.past.own(n_chosen), n_chosen)
    return config


def _deep(env: Environment, model: str, overrides: Named) -> AgentConfig:
    """Return the configuration of an agent with shared hidden layers: no first play chooses it."""
    preset = {"model": model, **DEEP, **deep_defaults(env)}
    preset |= with_traces(preset, checked(overrides, ("traces",)).get("traces", ()))
    if env.spec is not None:
        preset["solved_at"] = env.spec.reward_threshold
    _warn_of_unseen(env.observation_space)
    return _remembering(env, _made(preset, overrides))


def _made(preset: Named, overrides: Named) -> AgentConfig:
    fields = with_options(_with_parts(preset), overrides)
    shared = fields["trunk"].is_shared
    if shared:
        fields["features"] = fields["cells"]  # which only a linear critic would read
    if "window" not in overrides:
        # For hidden layers or filters that the preset doesn't have.
        least = least_steps(fields) if shared else _least_window(fields)
        fields["window"] = max(fields["window"], least)
    config = AgentConfig(**fields)
    check_read(config, overrides)
    return config


def _with_parts(preset: Named) -> PlainData:
    """Return the fields of a preset, with parts in place of their names and fields."""
    parts = {}
    for kind, registry in KINDS.items():
        inner = {n.partition(".")[2]: v for n, v in preset.items() if n.startswith(f"{kind}.")}
        parts[kind] = registry.make(preset.get(kind, registry.default.name), inner)
    return {name: value for name, value in preset.items() if "." not in name} | parts


def _class_of(kind: str, preset: Named, overrides: Named) -> Any:
    """Return the class of a part that is chosen, or the default. Raises UnknownNameError."""
    registry = KINDS[kind]
    return registry.class_of({**preset, **overrides}.get(kind, registry.default.name))


def _suit_layers(env: Environment, preset: Named, overrides: Named) -> bool:
    """Return whether hidden layers that actions share have the parts and fields that are named."""
    is_choice = not isinstance(env.action_space, gym.spaces.Box)
    known: dict[str, type] = {"critic": Layers, "modulator": TDError, "trunk": Shared}
    known["policy"] = Softmax if is_choice else GaussianReadout
    for kind, _, field in (name.partition(".") for name in overrides):
        if kind not in known:
            continue
        cls = _class_of(kind, preset, overrides) if kind in overrides else known[kind]
        names = {f.name for f in dataclasses.fields(cls)}
        if not issubclass(cls, known[kind]) or (field and field.partition(".")[0] not in names):
            return False
    return True


def _warn_of_other_spaces(env: Environment, tasks: PlainData) -> None:
    other, name = other_spaces(env), env.spec.id if env.spec is not None else ""
    if other and (name in _TASKS or name in tasks):
        what = "has other spaces than the task of this id, so its preset is not used"
        remedy = "say what is known of it, such as cells=, features=, reward_scale="
        warn_of(EnvironmentWarning, f"environment {name}", what, got=other, remedy=remedy)


def on_chip(env_id: str) -> PlainData:
    """Return the fields that a preset replaces for ``learning='pes'``."""
    return {**_PES, **_PES_TASKS.get(env_id, {})}


def _least_window(chosen: Named) -> int:
    layers = len(hidden_sizes(chosen.get("hidden", 8))) + 1
    lags = (chosen.get("stimulus_lags", 1), chosen.get("history_lags", 0))
    whole = all(isinstance(n, int) for n in lags)  # else AgentConfig says so
    return least_window(layers, *lags) if whole else 1


def _warn_of_unseen(space: Space) -> None:
    parts = unseen(space)
    if parts:
        what, remedy = "is seen without what is no number", "name cells= and features="
        warn_of(EnvironmentWarning, "observation space", what, got=", ".join(parts), remedy=remedy)


def _warn_of_means(space: Space, chosen: PlainData) -> None:
    for features in (chosen.get("cells"), chosen.get("features")):
        parts = features.parts if isinstance(features, Concat) else (features,)
        for part in parts:
            if isinstance(part, BlockMeans) or (isinstance(part, ImageCells) and part.averages):
                blocks = " x ".join(map(str, part.blocks))
                what = f"is large, so the agent sees the means of {blocks} blocks"
                remedy = "choose cells= and features="
                shown = textwrap.shorten(str(space), 80, placeholder="...")
                warn_of(EnvironmentWarning, "observation space", what, got=shown, remedy=remedy)
                return
