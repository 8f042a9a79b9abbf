"""Play a trained agent without learning (``neurorl evaluate``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import (
    BACKEND,
    TRUST,
    WRAP,
    added,
    chosen_backend,
    chosen_wrappers,
    look_here,
)
from neurorl.cli.output import progress, report
from neurorl.tasks.kinds import Environment

HELP = "play a trained agent without learning"


add_arguments = added(f"""
run RUN run            or zoo:NAME, see neurorl zoo
{BACKEND}
--env ENV_ID           play this one instead of the environment of the run
--env-arg K=V ...      an argument of --env
{WRAP}
{TRUST}
--episodes N int =100
--replicas N int       play N episodes side by side; the same figures for any N, draws by the
    episode
--seed N int =0        of noise and tasks
--sample --stochastic  draw actions from the policy instead of most votes
--energy               measure it on Loihi, by SANA-FE
--json                 print one JSON object
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.agents.evaluation import evaluate, load_to_play, warn_of_greedy
    from neurorl.backends.meter import METERED
    from neurorl.storage.plain import check_count

    check_count("evaluate, episodes", arguments.episodes)
    asked = chosen_backend(arguments)
    agent, chosen = load_to_play(
        arguments.run,
        asked.backend or (METERED if arguments.energy else None),
        asked.arithmetic,
        asked.noise,
        env=_env(arguments),
        trust_env=arguments.trust_env,
    )
    agent.env_id = arguments.env or agent.env_id
    returns: list[float] = []

    def note(_: int, total: float) -> None:
        returns.append(total)
        advance(total, 1)

    with progress("evaluating", arguments.episodes) as (advance, _):
        result = evaluate(
            agent,
            arguments.episodes,
            seed=arguments.seed,
            **chosen,
            explore=arguments.sample,
            backend_options=asked.backend_options,
            replicas=arguments.replicas,
            energy=arguments.energy,
            callback=note,
        )
        if not arguments.sample:
            warn_of_greedy(agent, returns, chosen, is_own=arguments.env is None)
    measured = {} if arguments.json else result.pop("energy", {})
    report({**result, **{f"energy.{k}": x for k, x in measured.items()}}, arguments.json)
    return 0


def _env(arguments: argparse.Namespace) -> Environment | None:
    """Return the environment that was named, or None."""
    from neurorl.errors import ArgumentError
    from neurorl.tasks.arguments import read_env_args, wrapped
    from neurorl.tasks.environments import make_env

    if arguments.trust_env or ":" in (arguments.env or ""):
        look_here()
    env_args, wrappers = read_env_args(arguments.env_arg), chosen_wrappers(arguments)
    if arguments.env is None:
        if env_args:
            raise ArgumentError("--env-arg", "is of --env, which isn't given")
        if wrappers:
            raise ArgumentError("--wrap", "is of --env, which isn't given")
        return None
    return wrapped(make_env(arguments.env, env_args), wrappers)
