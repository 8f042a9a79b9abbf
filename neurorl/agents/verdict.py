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

_RANDOM, _PLAYED = 33, 34  # purposes of derived seeds
_LEAST_STEPS = 500

Players = Callable[[int, bool], Player]
"""Make a player of a seed that draws its actions, or takes those with the most votes."""


def verdict_of(
    config: AgentConfig,
    seed: int,
    episodes: Sequence[Episode],
    env: Environment,
    player: Players,
    monitor: Monitor,
) -> RunVerdict:
    """Return the verdict on an agent that has played *episodes*.

    Plays in copies of *env*, if it can be copied, 2,000 steps at random and as many greedily, but
    at most as many as the training took, or 500. seed: of the agent, which the plays' seeds are
    derived from. player: makes players; with a NeurorlError, only random play is left. Where greedy
    play is worse than training was, actions are drawn from the policy as well, to compare.
    """
    steps = episodes[-1].env_steps if episodes else 0
    at_random = greedy = drawn = None
    if len(episodes) >= LEAST_EPISODES:
        most = min(FIRST_STEPS, max(_LEAST_STEPS, steps))
        with warnings.catch_warnings():  # training has warned of the same
            warnings.simplefilter("ignore")
            at_random = play_at_random(env, seed, most)
            greedy = play_by(env, seed, most, player)
            if _is_low(greedy, episodes):
                drawn = play_by(env, seed, most, player, explore=True)

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
    facts = [
        Facts(
            config,
            seed,
            measure,
            np.array(returns),
            steps,
            monitor.warnings(),
            returns_of(at_random, gamma),
            returns_of(greedy, gamma),
            returns_of(drawn, gamma),
            look,
            monitor.has_moved(),
            monitor.rate,
            greedy.only_action if greedy is not None else "",
        )
        for measure, (returns, gamma) in columns.items()
    ]
    with np.errstate(over="ignore", invalid="ignore"):  # squares of huge returns
        return judge(facts)


def play_at_random(env: Environment, seed: int, steps: int = FIRST_STEPS) -> FirstPlay | None:
    """Play so many steps at random in a copy of *env*; None if it can't be copied."""
    return play_again(env, steps, derive(seed, _RANDOM))


def _is_low(greedy: FirstPlay | None, episodes: Sequence[Episode]) -> bool:
    """Return whether a play's mean return is below that of the last quarter of training."""
    returns, last = returns_of(greedy), [e.ret for e in episodes[-(len(episodes) // 4 + 1) :]]
    return len(returns) > 0 and bool(np.mean(returns) < np.mean(last))


def play_by(
    env: Environment, seed: int, steps: int, make: Players, explore: bool = False
) -> FirstPlay | None:
    """Play so many steps in a copy of *env* by a player; None if that is impossible.

    make, explore: the player takes the actions with the most votes, or draws them.
    """
    actions = read_actions(env)

    def act(_: int, begins: bool, observation: Shown, mask: object, paid: float) -> Shown:
        if begins:
            player.begin()
        return actions.taken(player.move(observation, mask, paid).action)

    try:
        player = make(derive(seed, _PLAYED), explore)
        with player.backend:
            return play_again(env, steps, derive(seed, _PLAYED), act)
    except NeurorlError:
        return None
