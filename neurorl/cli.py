"""The command line. Exit status: 0 done, 2 bad usage or bad input (one line says what).

Imports stay inside the commands, so that ``neurorl --help`` is quick.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorl import __version__
from neurorl.errors import NeurorlError, PopulationWarning

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except NeurorlError as exc:
        print(f"neurorl: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("neurorl: stopped; a run goes on with --resume", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neurorl",
        description="Train spiking agents with reward; run them on Brian2 or Loihi's emulator.",
    )
    parser.add_argument("--version", action="version", version=f"neurorl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    train = commands.add_parser("train", help="train an agent on a Gymnasium environment")
    train.add_argument("env", metavar="ENV_ID")
    _add_backend(train)
    train.add_argument("--model", metavar="M", help="lif (default), glm or lif-spiking-critic")
    train.add_argument("--seed", type=int, metavar="N", help="decides everything (default 0)")
    train.add_argument(
        "--seeds", metavar="N..M", help="several at once, such as 0..19 or 1,4,7; runs in DIR/seedN"
    )
    train.add_argument("--episodes", type=int, metavar="N", help="in all (default 400)")
    train.add_argument(
        "--out", type=Path, metavar="DIR", help="the run directory (default: in runs/)"
    )
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    train.add_argument("--json", action="store_true", help="print one JSON object")
    train.set_defaults(command=_train)

    evaluate = commands.add_parser("evaluate", help="play a trained agent without learning")
    evaluate.add_argument("run", type=Path, metavar="RUN")
    _add_backend(evaluate)
    evaluate.add_argument("--episodes", type=int, default=100, metavar="N")
    evaluate.add_argument("--seed", type=int, default=0, metavar="N", help="of noise and tasks")
    evaluate.add_argument(
        "--sample", action="store_true", help="draw actions from the policy instead of most votes"
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.set_defaults(command=_evaluate)

    show = commands.add_parser("show", help="print a network as a backend runs it")
    show.add_argument("what", metavar="RUN_OR_MODEL", help="a run, lif, glm or a .nir file")
    _add_backend(show)
    show.add_argument("--env", default="CartPole-v1", metavar="ENV_ID", help="task of a MODEL")
    show.add_argument("--dt", type=float, metavar="S", help="step of a .nir file, seconds")
    show.set_defaults(command=_show)

    plot = commands.add_parser("plot", help="draw the learning curves of runs")
    plot.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    plot.add_argument("--out", type=Path, metavar="FILE", help="default: learning_curve.png in RUN")
    plot.set_defaults(command=_plot)

    backends = commands.add_parser("backends", help="list the backends and what they need")
    backends.add_argument("--json", action="store_true", help="print one JSON object")
    backends.set_defaults(command=_backends)
    _add_bench(commands.add_parser("bench", help="measure what an environment step costs"))
    return parser


def _add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", metavar="B", help="reference (default), brian2 or loihi")
    parser.add_argument("--arithmetic", metavar="A", help="float or loihi (default: the backend's)")


def _add_bench(bench: argparse.ArgumentParser) -> None:
    bench.add_argument("--size", metavar="S", help="small or large (default: both)")
    bench.add_argument(
        "--backends", metavar="A,B", help="such as reference,brian2:cython,loihi:stock"
    )
    bench.add_argument("--replicas", type=int, default=1, metavar="N", help="agents (default 1)")
    bench.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    bench.add_argument(
        "--seconds", type=float, default=0.8, metavar="S", help="CPU seconds each (default 0.8)"
    )
    bench.add_argument("--arithmetic", metavar="A", help="float or loihi (default: the backend's)")
    bench.add_argument(
        "--peers", nargs="?", const="", metavar="A,B", help="also other libraries, if installed"
    )
    bench.add_argument("--cold", action="store_true", help="also starts without compiled code")
    bench.add_argument("--json", action="store_true", help="print one JSON object")
    bench.set_defaults(command=_bench)


def _train(arguments: argparse.Namespace) -> int:
    from neurorl.errors import ArgumentError, say
    from neurorl.training import read_seeds, train_seeds

    out = arguments.out or _default_out(arguments)
    runs: list[tuple[int | None, Path]] = [(arguments.seed, out)]
    if arguments.seeds is not None:
        if arguments.seed is not None:
            raise ArgumentError(say("train", "takes --seed or --seeds, not both"))
        runs = [(seed, out / f"seed{seed}") for seed in read_seeds(arguments.seeds)]
    with _progress("training") as (advance, started):
        summaries = train_seeds(
            arguments.env,
            runs,
            backend=arguments.backend,
            arithmetic=arguments.arithmetic,
            model=arguments.model,
            episodes=arguments.episodes,
            resume=arguments.resume,
            callback=lambda e: advance(e.ret, e.length),
            started=started,
        )
    if arguments.json:
        print(json.dumps(summaries[0] if arguments.seeds is None else {"rows": summaries}))
        return 0
    rows = [{**row, "warnings": len(row["warnings"])} for row in summaries]
    if arguments.seeds is None:
        _report(rows[0], as_json=False)
    else:
        columns = (
            *("seed", "env_steps", "mean_return_last_100", "solved_at_episode"),
            *("warnings", "run"),
        )
        _print_table(columns, [[_cell(row[name]) for name in columns] for row in rows])
    return 0


def _default_out(arguments: argparse.Namespace) -> Path:
    name = arguments.env.replace("/", "-")
    parts = [name, arguments.backend or "reference", arguments.model or "lif"]
    parts += [arguments.arithmetic] if arguments.arithmetic else []
    parts += [] if arguments.seeds else [f"seed{arguments.seed or 0}"]
    return Path("runs") / "-".join(parts)


def _evaluate(arguments: argparse.Namespace) -> int:
    from neurorl.errors import ArgumentError, say
    from neurorl.evaluation import evaluate, load_to_play

    if arguments.episodes < 1:
        raise ArgumentError(say("evaluate", "episodes out of range", got=arguments.episodes))
    agent, backend, arithmetic = load_to_play(
        arguments.run, arguments.backend, arguments.arithmetic
    )
    with _progress("evaluating", arguments.episodes) as (advance, _):
        result = evaluate(
            agent,
            arguments.episodes,
            seed=arguments.seed,
            backend=backend,
            arithmetic=arithmetic,
            explore=arguments.sample,
            callback=lambda _, total: advance(total, 1),
        )
    _report(result, arguments.json)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from neurorl.backend import load
    from neurorl.cost import static_cost
    from neurorl.envs import discrete_actions, make_env
    from neurorl.errors import unknown
    from neurorl.evaluation import load_to_play, read_cost
    from neurorl.presets import MODELS, make_config

    if arguments.what in MODELS:
        env = make_env(arguments.env)
        config = make_config(env, arguments.what)
        network = config.network(int(discrete_actions(env).n))
        with load(
            arguments.backend or "reference", network, arithmetic=arguments.arithmetic
        ) as compiled:
            print(compiled.source())
        _print_cost(static_cost(network, config.window))
        return 0
    path = Path(arguments.what)
    if path.suffix == ".nir":
        return _show_nir(path, arguments)
    if not path.exists():
        raise unknown("run directory or model", arguments.what, MODELS)
    agent, backend, arithmetic = load_to_play(path, arguments.backend, arguments.arithmetic)
    with agent.player(agent.seed, backend, arithmetic).backend as compiled:
        print(compiled.source())
    counted = read_cost(path)
    _print_cost({**static_cost(agent.network, agent.config.window), **counted})
    if not counted:
        print("(what depends on spikes is counted by neurorl evaluate)")
    if agent.episodes:
        _print_diagnostics(agent.diagnostics)
    return 0


def _print_diagnostics(found: dict[str, Any]) -> None:
    print(f"\nAfter {found['episodes']} episodes:")
    columns = ("population", "rate", "mean_abs_weight", "share_at_bounds", "verdict")
    titles = ("population", "rate", "mean |w|", "share at bounds", "verdict")
    rows = found["populations"]
    _print_table(titles, [[_cell(row[name]) for name in columns] for row in rows])
    for warning in found["warnings"]:
        print(warning["message"])


def _show_nir(path: Path, arguments: argparse.Namespace) -> int:
    from neurorl.backend import load
    from neurorl.nir import from_nir

    network = from_nir(path, arguments.dt)
    with load(
        arguments.backend or "reference", network, arithmetic=arguments.arithmetic
    ) as backend:
        print(backend.source())
    return 0


def _print_cost(cost: Mapping[str, float]) -> None:
    print("\nCost of a decision:")
    _report(cost, as_json=False)


def _plot(arguments: argparse.Namespace) -> int:
    from neurorl.plot import plot_runs

    out = arguments.out or arguments.runs[0] / "learning_curve.png"
    print(plot_runs(arguments.runs, out))
    return 0


def _backends(arguments: argparse.Namespace) -> int:
    from neurorl.backend import available_backends

    rows = available_backends()
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return 0
    columns = ("name", "available", "version", "target", "engines", "arithmetics", "remedy")
    _print_table(columns, [[_cell(row[name]) for name in columns] for row in rows])
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from neurorl.bench.command import Options, bench

    return bench(
        Options(
            size=arguments.size,
            backends=arguments.backends,
            replicas=arguments.replicas,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            arithmetic=arguments.arithmetic,
            peers=arguments.peers,
            cold=arguments.cold,
            as_json=arguments.json,
        )
    )


def _report(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(dict(result)))
        return
    width = max(len(key) for key in result)
    for key, value in result.items():
        print(f"{key:<{width}}  {_cell(value)}")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "-" if value is None else str(value)


def _print_table(columns: tuple[str, ...], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def _warnings_on(console: Console) -> Iterator[None]:
    """Warnings of populations as lines of their own, above a bar that is shown there."""
    others = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **options: Any) -> None:
        if not issubclass(category, PopulationWarning):
            others(message, category, *where, **options)
            return
        line = f"neurorl: warning: {message}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", PopulationWarning)
        warnings.showwarning = show
        yield


@contextmanager
def _progress(
    what: str, total: int | None = None
) -> Iterator[tuple[Callable[[float, int], None], Callable[[int, int], None]]]:
    """A bar on a terminal's stderr with mean return and rate: ``(advance, started)``."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    recent: list[float] = []
    steps = 0
    with (
        Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("return {task.fields[mean]:.4g}"),
            TextColumn("{task.fields[rate]:.0f} env steps/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bar,
        _warnings_on(console),
    ):
        task = bar.add_task(what, total=total, mean=0.0, rate=0.0)

        def advance(ret: float, length: int) -> None:
            nonlocal steps
            recent.append(ret)
            del recent[:-100]
            steps += length
            elapsed = bar.tasks[0].elapsed or 1e-9
            bar.update(task, advance=1, mean=sum(recent) / len(recent), rate=steps / elapsed)

        def started(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance, started
