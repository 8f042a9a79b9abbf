"""Train an agent on a Gymnasium environment, in a run directory (``neurorl train``)."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from neurorl.cli.options import (
    BACKEND,
    WRAP,
    chosen_backend,
    command,
    import_named,
    imported,
    look_here,
)
from neurorl.cli.output import print_rows, progress, report
from neurorl.cli.status import goes_on
from neurorl.errors import ArgumentError

if TYPE_CHECKING:
    from neurorl.runs.config import Options


@command(f"""
train an agent on a Gymnasium environment

env ENV_ID             of Gymnasium, or MODULE:ID, which imports MODULE first
--env-arg K=V ...      an argument of the environment, such as is_slippery=false; may be repeated
{WRAP}
--environments N int   how many feed one agent (default 1)
{BACKEND}
--set FIELD=VALUE ...  a field of the agent, such as hidden=[8,4], policy.beta=0.2,
    neuron.tau_mem=5e-3, rules.PROJECTION=NAME, gradient.learning_rate=1e-3; may be repeated
--rule NAME            the same as --set rule=NAME
--config FILE path     the config.json of another run, or JSON or TOML of such fields; --set comes
    after it
--model M              lif (default), glm, lif-spiking-critic or deep
--learning L           host (default), or pes: by the chip's own engine (loihi)
--approach A           local (default): a three-factor rule; reparameterization: gradients, by
    PyTorch
--from RUN path        begin with the weights and critic of another run
--eval-every N int     play greedily every N environment steps: evaluations.csv, and best.npz
--eval-episodes M int  at a time (default 20)
--tensorboard DIR path  write figures to DIR/RUN for TensorBoard
--callback MODULE:NAME ...  a neurorl.callbacks.Callback or a function of an episode, with
    arguments as in MODULE:NAME,K=V; may be repeated
--seed N int           decides everything (default 0)
--seeds N..M           several at once, such as 0..19 or 1,4,7; runs in DIR/seedN
--jobs N int =1        processes that share the seeds (default 1)
--episodes N int       in all (default 400)
--steps N int          in place of --episodes: environment steps in all, for tasks whose episodes
    don't end
--out DIR path         the run directory (default: in runs/)
--resume               go on with the run in --out
--json                 print one JSON object
""")
def train(arguments: argparse.Namespace) -> None:
    from neurorl.runs.settings import read_settings
    from neurorl.runs.training import read_seeds, train_seeds

    if ":" in arguments.env:
        look_here()
    settings = read_settings(_texts(arguments))
    _import_parts(settings)
    options = _options(arguments, settings)
    out = arguments.out or _default_out(arguments, options)
    if arguments.jobs != 1 and arguments.seeds is None:
        what, remedy = "are processes that share several seeds", "--seeds 0..3, or leave it out"
        raise ArgumentError("--jobs", what, got=arguments.jobs, remedy=remedy)
    runs: list[tuple[int | None, Path]] = [(arguments.seed, out)]
    if arguments.seeds is not None:
        if arguments.seed is not None:
            raise ArgumentError("train", "takes --seed or --seeds, not both")
        runs = [(seed, out / f"seed{seed}") for seed in read_seeds(arguments.seeds)]
        if arguments.tensorboard is not None:
            options["tensorboard"] = arguments.tensorboard / out.name
    kept = (path / "checkpoint.npz" for _, path in runs)
    resumes = goes_on(kept, "a run goes on with --resume")
    with resumes, progress("training") as (advance, started):
        summaries = train_seeds(
            arguments.env,
            runs,
            resume=arguments.resume,
            callback=lambda e: advance(e.ret, e.length),
            started=started,
            jobs=arguments.jobs,
            **options,
        )
    if arguments.json:
        print(json.dumps(summaries[0] if arguments.seeds is None else {"rows": summaries}))
        return
    rows = [{**row, "warnings": len(row["warnings"])} for row in summaries]
    for shown in rows:
        del shown["verdict"]  # it's the last line
    if arguments.seeds is None:
        report(rows[0], as_json=False)
    else:
        columns = "seed, env_steps, mean_return_last_100, solved_at_episode, warnings, run"
        print_rows(columns, rows)
    for row in summaries:
        print(row["verdict"]["words"])


def _texts(arguments: argparse.Namespace) -> list[str]:
    """Return the fields that are set, ``FIELD=VALUE``."""
    rule = [] if arguments.rule is None else [f"rule={arguments.rule}"]
    return [*arguments.set, *rule]


def _import_parts(settings: Mapping[str, object]) -> None:
    """Import what the user names as ``module:Name``: a file names, and imports, nothing."""
    from neurorl.models.agent.fields import KINDS, NAMED

    for name, value in settings.items():
        chooses = name in ("rule", *KINDS) or name.partition(".")[0] in NAMED
        if chooses and isinstance(value, str) and ":" in value:
            import_named(value)


def _options(arguments: argparse.Namespace, settings: Mapping[str, object]) -> Options:
    """Return what the file and, after it, the other flags ask for."""
    from neurorl.runs.settings import apart, merged, read_config
    from neurorl.tasks.arguments import read_env_args

    names = ("model", "learning", "episodes", "steps", "approach")
    more = ("environments", "eval_every", "eval_episodes", "tensorboard")
    said = {
        **vars(chosen_backend(arguments)),
        **{name: getattr(arguments, name) for name in (*names, *more)},
        "start": getattr(arguments, "from"),
        "env_args": read_env_args(arguments.env_arg) or None,
        "wrappers": imported(arguments.wrap, "wrapper") or None,
        "callbacks": imported(arguments.callback, "callback") or None,
        **apart(settings),
    }
    flags = cast("Options", said)
    if arguments.config is None:
        return flags
    return merged(read_config(arguments.config, arguments.env), flags)


def _default_out(arguments: argparse.Namespace, options: Options) -> Path:
    from neurorl.agents.algorithms import LOCAL, find_algorithm
    from neurorl.backends.lookup import quickest

    name = arguments.env.replace("/", "-")
    algorithm = find_algorithm(options.get("approach"))
    where = options.get("backend") or quickest() if algorithm is LOCAL else algorithm.name
    file = [arguments.config.stem] if arguments.config is not None else []
    texts = [*arguments.env_arg, *arguments.wrap, *arguments.callback, *_texts(arguments), *file]
    own = [re.sub(r"[^\w.+=-]", "_", text)[:40] for text in texts]
    named = [options.get("arithmetic"), options.get("noise"), options.get("learning")]
    parts = [name, where, options.get("model") or "lif", *own, *filter(None, named)]
    parts += [f"environments{n}"] if (n := options.get("environments")) else []
    parts += [] if arguments.seeds else [f"seed{arguments.seed or 0}"]
    return Path("runs") / "-".join(parts)
