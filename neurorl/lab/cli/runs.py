"""Play, draw, compare and film runs, list pretrained ones, and share them."""

from __future__ import annotations

import argparse
import dataclasses
import json

from neurorl.cli.options import (
    BACKEND,
    TRUST,
    WRAP,
    beside,
    chosen_backend,
    command,
    imported,
    look_here,
)
from neurorl.cli.output import cell, print_table, progress, report
from neurorl.errors import ArgumentError
from neurorl.tasks.kinds import Environment


@command(f"""
play a trained agent without learning

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
def evaluate_run(arguments: argparse.Namespace) -> None:
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


def _env(arguments: argparse.Namespace) -> Environment | None:
    """Return the environment that was named, or None."""
    from neurorl.tasks.arguments import read_env_args, wrapped
    from neurorl.tasks.environments import make_env

    if arguments.trust_env or ":" in (arguments.env or ""):
        look_here()
    env_args, wrappers = read_env_args(arguments.env_arg), imported(arguments.wrap, "wrapper")
    if arguments.env is None:
        if env_args:
            raise ArgumentError("--env-arg", "is of --env, which isn't given")
        if wrappers:
            raise ArgumentError("--wrap", "is of --env, which isn't given")
        return None
    return wrapped(make_env(arguments.env, env_args), wrappers)


@command("""
draw the learning curves of runs, with bands over seeds

runs RUN run +         or zoo:NAME, or a folder of runs, such as --seeds makes: their median, and a
    band of quartiles
--out FILE path        default: learning_curve.png in RUN
""")
def plot(arguments: argparse.Namespace) -> None:
    from neurorl.lab.compare import plot_runs

    out = arguments.out or beside(arguments.runs[0], "learning_curve.png")
    print(plot_runs(arguments.runs, out))


@command("""
compare runs over seeds: interquartile means, intervals, probability of improvement

groups GROUP run +     a folder of runs, or table.csv of a sweep; the others are held against the
    first
--by COLUMN            of a table: each of its values is a group, such as rule
--score COLUMN         of a table (default: greedy_return, else mean_return_last_100)
--json                 print one JSON object
""")
def compare_groups(arguments: argparse.Namespace) -> None:
    from neurorl.lab.compare import compare, scores_of

    groups = {}
    for place in arguments.groups:
        groups.update(scores_of(place, arguments.by, arguments.score))
    rows = compare(groups)
    if arguments.json:
        print(json.dumps({"rows": [dataclasses.asdict(row) for row in rows]}))
        return
    columns = ("group", "runs", "IQM", "95 % interval", "mean", "worst", "P(better than first)")
    lines = []
    for row in rows:
        better = "" if row.better is None else "{:.2f} ({:.2f} to {:.2f})".format(*row.better)
        interval = f"{cell(row.low)} to {cell(row.high)}"
        figures = (cell(row.iqm), interval, cell(row.mean), cell(row.worst))
        lines.append([row.name, str(row.n), *figures, better])
    print_table(columns, lines)


@command(f"""
make a film of an agent at its task, beside its spikes

run RUN run            or zoo:NAME, see neurorl zoo
--out FILE path        gif or mp4 (default: watch.gif in RUN)
{BACKEND}
{TRUST}
--steps N int =200     decisions at most
--fps N int =10        frames a second
--seed N int =0        of noise and task
""")
def film(arguments: argparse.Namespace) -> None:
    from neurorl.agents.evaluation import load_to_play
    from neurorl.lab.watch import play_frames, watch

    asked = chosen_backend(arguments)
    if arguments.trust_env:
        look_here()
    setting = asked.backend, asked.arithmetic, asked.noise
    agent, chosen = load_to_play(arguments.run, *setting, trust_env=arguments.trust_env)
    frames = play_frames(agent, arguments.steps, seed=arguments.seed, **chosen)
    print(watch(frames, arguments.out or beside(arguments.run, "watch.gif"), fps=arguments.fps))


@command("""
list the pretrained agents, which stand as zoo:NAME for a run

name NAME ?            print the card of this one
--json                 print one JSON object
""")
def list_zoo(arguments: argparse.Namespace) -> None:
    from neurorl.storage.zoo import ON_CHIP, PREFIX, agents, find

    listed = agents()
    if arguments.name is not None:
        folder = find(arguments.name)
        if arguments.json:
            print(json.dumps(dataclasses.asdict(listed[folder.name])))
        else:
            print((folder / "README.md").read_text().partition("\n---\n")[2].strip())
        return
    if arguments.json:
        print(json.dumps({"rows": [dataclasses.asdict(agent) for agent in listed.values()]}))
        return
    rows = [("agent", "task", "network, rule", "learned in", "return", "on Loihi", "backends")]
    for name, agent in listed.items():
        own, chip = next(iter(agent.returns.values())), agent.returns[ON_CHIP]
        rule = f"{agent.model}, {agent.rule}"
        figures = (cell(own), cell(chip), agent.verdict or "-")
        rows.append((PREFIX + name, agent.env, rule, agent.arithmetic, *figures))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


@command("""
write a run to a folder in Hugging Face's layout: safetensors and a card

run RUN run            or zoo:NAME
--out FOLDER path required  a new one
""")
def export(arguments: argparse.Namespace) -> None:
    from neurorl.lab.exchange import export_run

    print(export_run(arguments.run, arguments.out))


@command("""
make a run of a folder that neurorl export wrote

folder FOLDER path
--out RUN path required  a new one
""")
def import_folder(arguments: argparse.Namespace) -> None:
    from neurorl.lab.exchange import import_run

    print(import_run(arguments.folder, arguments.out))
