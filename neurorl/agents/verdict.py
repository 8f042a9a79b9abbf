"""Play a trained agent and at random, and gather what the verdict on its training is made of."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from neurorl.agents.episodes import Episode
from neurorl.agents.player import Player
from neurorl.diagnostics.causes import judge
from neurorl.diagnostics.monitor import Monitor
from neurorl.diagnostics.observed import Hidden, hidden
from neurorl.diagnostics.outcome import LEAST_EPISODES, Facts, RunVerdict, returns_of
from neurorl.errors import NeurorlError
from neurorl.models.agent.config import AgentConfig
from neurorl.numerics.random import derive
from neurorl.tasks.actions import read_actions
from neurorl.tasks.first_play import FIRST_STEPS, FirstPlay, play_again
from neurorl.tasks.kinds import Environment, Shown

_RANDOM, _GREEDY = 33, 34  # purposes of derived seeds
_LEAST_STEPS = 500


def verdict_of(
    config: AgentConfig,
    seed: int,
    episodes: Sequence[Episode],
    env: Environment,
    player: Callable[[int], Player],
    monitor: Monitor,
) -> RunVerdict:
    """Return the verdict on an agent that has played *episodes*.

    Plays in copies of *env*, if it can be copied, 2,000 steps at random and as many greedily, but
    at most as many as the training took, or 500. seed: of the agent, which the plays' seeds are
    derived from. player: makes a player of a seed; with a NeurorlError, greedy play is left out.
    """
    steps = episodes[-1].env_steps if episodes else 0
    at_random = greedy = None
    if len(episodes) >= LEAST_EPISODES:
        most = min(FIRST_STEPS, max(_LEAST_STEPS, steps))
        with warnings.catch_warnings():  # training has warned of the same
            warnings.simplefilter("ignore")
            at_random = play_at_random(env, seed, most)
            greedy = play_greedily(env, seed, most, player)

    @functools.cache
    def look() -> Hidden:
        others = [] if greedy is None else [greedy]
        with contextlib.suppress(NeurorlError, np.linalg.LinAlgError):
            if at_random is not None:
                return hidden(env.observation_space, config, at_random, others)
        return Hidden()

    columns = {
        "return": ([e.ret for e in episodes], 1.0),
        "discounted return": ([e.discounted for e in episodes], config.gamma),
    }
    return judge(
        [
            Facts(
                config,
                seed,
                measure,
                np.array(returns),
                steps,
                monitor.warnings(),
                returns_of(at_random, gamma),
                returns_of(greedy, gamma),
                look,
                monitor.has_moved(),
                monitor.rate,
            )
            for measure, (returns, gamma) in columns.items()
        ]
    )


def play_at_random(env: Environment, seed: int, steps: int = FIRST_STEPS) -> FirstPlay | None:
    """Play so many steps at random in a copy of *env*; None if it can't be copied."""
    return play_again(env, steps, derive(seed, _RANDOM))


def play_greedily(
    env: Environment, seed: int, steps: int, make: Callable[[int], Player]
) -> FirstPlay | None:
    """Play so many steps by most votes in a copy of *env*; None if that is impossible."""
    actions = read_actions(env)
    try:
        player = make(derive(seed, _GREEDY))
    except NeurorlError:
        return None

    def act(_: int, begins: bool, observation: Shown, mask: object) -> Shown:
        if begins:
            player.begin()
        return actions.taken(player.move(observation, mask).action)

    with player.backend:
        return play_again(env, steps, derive(seed, _GREEDY), act)
