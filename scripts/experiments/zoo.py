"""Make the pretrained agents of `neurorl.storage.zoo` from the recipes behind ``results/``.

Of each experiment that learned, one run: that of the seed with the best last 100 episodes of
training (the lowest of equal ones), which its greedy figures had no part in choosing.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from experiments.catalogue import EXPERIMENTS, Experiment, Task
from experiments.gradients import GRADIENTS, GradientExperiment, find
from experiments.markup import table_head, table_row
from experiments.run import Plan, evaluation_seed, run, run_path
from neurorl import validate
from neurorl.agents.evaluation import Evaluation, evaluate, load_to_play
from neurorl.errors import NeurorlError, unknown_name_error
from neurorl.lab.exchange import card, code, read_evaluation, rule_of
from neurorl.runs.directory import COLUMNS, RunDirectory
from neurorl.runs.training import train_seeds
from neurorl.storage import archive
from neurorl.storage.files import as_json, make_folder, write_bytes, write_json
from neurorl.storage.zoo import ON_CHIP, ZooAgent

LEARNED = 0.5
"""Leave out what normalised scores say has learned nothing, its best seed below this."""
MORE_EPISODES = 100
"""Play at most so many where it didn't learn."""
_COMPARED = {"float": "reference,native,torch", "loihi": "reference,native,loihi,torch"}
_DIGITS = 6


@dataclass(frozen=True)
class OfDefaults:
    """Describe a task that nobody tuned for, learned by the agent that the defaults choose."""

    name: str
    env: str
    steps: int
    seed: int = 0


DEFAULTS = (
    OfDefaults("frozenlake-default", "FrozenLake-v1", 100_000),
    OfDefaults("cliffwalking-default", "CliffWalking-v1", 50_000),
    OfDefaults("bandit-default", "neurorl/Bandit-v0", 5_000),
    OfDefaults("acrobot-default", "Acrobot-v1", 100_000),
    OfDefaults("taxi-default", "Taxi-v4", 200_000),
    OfDefaults("pendulum-default", "Pendulum-v1", 200_000),
    OfDefaults("mountaincarcontinuous-default", "MountainCarContinuous-v0", 100_000),
)
Recipe = Experiment | GradientExperiment | OfDefaults


def _recipes(results: Path) -> tuple[Recipe, ...]:
    named: list[Experiment | GradientExperiment] = [*EXPERIMENTS]
    named += [each for each in GRADIENTS if each.start is None]
    return (*(each for each in named if _has_learned(results, each)), *DEFAULTS)


def _rows(results: Path, name: str) -> list[dict[str, str]]:
    with (results / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def _best(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    return max(rows, key=lambda row: (float(row["last_100"]), -int(row["seed"])))


def _has_learned(results: Path, recipe: Experiment | GradientExperiment) -> bool:
    task = recipe.task
    best = float(_best(_rows(results, recipe.name))["last_100"])
    return (best - task.zero) / (task.one - task.zero) >= LEARNED


RECIPES = _recipes(Path(__file__).parents[2] / "results")


def chosen(names: Sequence[str] | None) -> tuple[Recipe, ...]:
    """Return the recipes of these names; None: all. Raises UnknownNameError."""
    known = {recipe.name: recipe for recipe in RECIPES}
    for name in names or ():
        if name not in known:
            raise unknown_name_error("pretrained agent", name, known)
    return RECIPES if names is None else tuple(known[name] for name in names)


def make(recipe: Recipe, results: Path, out: Path, agents: Path) -> ZooAgent:
    """Train an agent into *out*, if it isn't there, and put its folder into *agents*.

    Raises NeurorlError, and leaves *agents* as it was, if the run isn't that of ``results/`` in
    every figure; or if one by gradients, whose bits are those of one kind of machine, plays worse
    than every seed there.
    """
    rows = [] if isinstance(recipe, OfDefaults) else _rows(results, recipe.name)
    seed = recipe.seed if isinstance(recipe, OfDefaults) else int(_best(rows)["seed"])
    path = _train(recipe, Plan(out, (seed,), backend="reference"), seed)
    source, target = RunDirectory(path), RunDirectory(agents / recipe.name)
    others = () if isinstance(recipe, OfDefaults) else _others(recipe, rows)
    evaluations = _evaluations(recipe, path, seed)
    if isinstance(recipe, GradientExperiment):
        _check_alike(recipe, rows, evaluations[0])
    else:
        for row in rows:
            if int(row["seed"]) == seed:
                _check_same(recipe, row, evaluations[0])
    _copy(source, target, recipe.name)
    write_json(target.path / "evaluation.json", evaluations[0])
    verdicts = {} if isinstance(recipe, OfDefaults) else _verdicts(path, evaluations)
    use = f"neurorl evaluate zoo:{recipe.name} --backend loihi"
    text = card(recipe.name, target, evaluations, use)
    text += "\n".join([*_noted(recipe.name, verdicts, others), ""])
    write_bytes(target.path / "README.md", text.encode())
    return _listed(recipe, target, evaluations, verdicts)


def _noted(name: str, verdicts: Mapping[str, str], others: Sequence[str]) -> list[str]:
    """Return the lines of a card on backends and where it is from.

    verdicts: verdicts of `neurorl.validate` by arithmetic. others: sentences on the other seeds.
    """
    lines = [f"- in {arithmetic} arithmetic: {told}" for arithmetic, told in verdicts.items()]
    if lines:
        lines = ["", "## Agreement of backends, by `neurorl validate`", "", *lines]
    lines += ["", "## Where it is from", "", *others, *([""] if others else [])]
    return [*lines, *code(f"python scripts/zoo.py --only {name}")[1:]]


def _train(recipe: Recipe, plan: Plan, seed: int) -> Path:
    path = run_path(plan, recipe.name, seed)
    if isinstance(recipe, Experiment):
        run(recipe, plan)
    elif isinstance(recipe, GradientExperiment):
        find(recipe, plan)
    elif not RunDirectory(path).summary.exists():
        resume = path.exists()
        train_seeds(recipe.env, [(seed, path)], steps=recipe.steps, resume=resume)
    return path


def _copy(source: RunDirectory, target: RunDirectory, name: str) -> None:
    """Copy a run, without the times of any clock; its checkpoint is compressed."""
    make_folder(target.path)
    write_bytes(target.config, source.config.read_bytes())
    small = archive.compressed(source.checkpoint.read_bytes())
    write_bytes(Path(f"{target.checkpoint}{archive.COMPRESSED}"), small)
    summary = json.loads(source.summary.read_bytes())
    write_bytes(target.summary, as_json({**summary, "run": f"zoo:{name}"}))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    columns = source.read_episodes()
    for row in zip(*(columns[name] for name in COLUMNS), strict=True):
        numbers = dict(zip(COLUMNS, row, strict=True), wall_s=0.0)
        whole = ("episode", "length", "env_steps")
        writer.writerow(int(n) if key in whole else repr(n) for key, n in numbers.items())
    write_bytes(target.episodes, text.getvalue().encode())


def _evaluations(recipe: Recipe, path: Path, seed: int) -> list[Evaluation]:
    """Return greedy play where it learned, as results/ has it, and on Loihi's emulator."""
    where = [ON_CHIP.split(":")]
    if RunDirectory(path).read_config().arithmetic == "float":
        where.insert(0, ["reference", "float"])
    made = []
    for backend, arithmetic in where:
        file = path / f"zoo-{backend}-{arithmetic}.json"
        if not file.exists():
            agent, options = load_to_play(path, backend, arithmetic)
            n = _episodes(recipe)
            n = n if [backend, arithmetic] == where[0] else min(n, MORE_EPISODES)
            played = evaluate(agent, n, seed=evaluation_seed(seed), **options)
            agent.close()
            write_json(file, played)
        made.append(read_evaluation(file))
    return made


def _episodes(recipe: Recipe) -> int:
    if isinstance(recipe, OfDefaults):
        return 100
    own = recipe.evaluation_episodes if isinstance(recipe, Experiment) else None
    return own or recipe.task.evaluation_episodes


def _check_same(recipe: Recipe, row: dict[str, str], played: Evaluation) -> None:
    """Raise NeurorlError if the seed doesn't play as results/ says."""
    assert not isinstance(recipe, OfDefaults)
    figures = {_figure(recipe.task): "greedy"} if row.get("greedy") else {}
    figures |= {name: name for name in ("spikes_per_decision", "synops_per_decision")}
    for figure, column in figures.items():
        got = dict(played)[figure]
        if round(float(str(got)), _DIGITS) != round(float(row[column]), _DIGITS):
            what = f"isn't the run of results/{recipe.name}.csv: {column}"
            raise NeurorlError(recipe.name, what, got=got, limit=row[column])


def _check_alike(
    recipe: GradientExperiment, rows: Sequence[dict[str, str]], played: Evaluation
) -> None:
    """Raise NeurorlError if a seed plays worse than each of ``results/``."""
    column = "greedy" if rows[0].get("greedy") else "on_chip"
    worst = min(float(row[column]) for row in rows)
    got = float(str(dict(played)[_figure(recipe.task)]))
    if got < worst:
        what = f"plays worse than all of results/{recipe.name}.csv"
        raise NeurorlError(recipe.name, what, got=got, limit=worst)


def _figure(task: Task) -> str:
    return "mean_discounted_return" if task.discounted else "mean_return"


def _verdicts(path: Path, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Return by arithmetic what `neurorl.validate` says of all backends that have it."""
    verdicts = {}
    for arithmetic in dict.fromkeys(each["arithmetic"] for each in evaluations):
        result = validate(path, _COMPARED[arithmetic], arithmetic=arithmetic, steps=480)
        names = ", ".join(dict.fromkeys(name.partition(":")[0] for name in result.backends))
        verdicts[arithmetic] = f"{result.verdict} on {names} ({result.steps} steps)"
    return verdicts


def _others(recipe: Experiment | GradientExperiment, rows: Sequence[dict[str, str]]) -> list[str]:
    """Return sentences on all seeds of results/."""
    task, column = recipe.task, "greedy" if rows[0].get("greedy") else "on_chip"
    greedy = [float(row[column]) for row in rows]
    mean, low, high = (f"{f:.{task.digits}f}" for f in (fmean(greedy), min(greedy), max(greedy)))
    said = [
        f"`results/{recipe.name}.csv` has {len(rows)} seeds of this recipe: greedy {task.figure} "
        f"{mean} on average, {low} to {high}. This is the one with the best last 100 episodes of "
        "training, which greedy play had no part in choosing."
    ]
    if isinstance(recipe, GradientExperiment):
        said.append(
            "It was trained anew: PyTorch sums in another order on each kind of machine, so it is "
            "not that run to the last bit."
        )
    return said


def _listed(
    recipe: Recipe,
    target: RunDirectory,
    evaluations: Sequence[Evaluation],
    verdicts: dict[str, str],
) -> ZooAgent:
    config = target.read_config()
    discounted = not isinstance(recipe, OfDefaults) and recipe.task.discounted
    figure = "mean_discounted_return" if discounted else "mean_return"
    returns = {
        f"{e['backend']}:{e['arithmetic']}": float(str(dict(e)[figure])) for e in evaluations
    }
    said = [verdict.partition(" ")[0] for verdict in verdicts.values()]
    files = sorted(path for path in target.path.iterdir() if path.is_file())
    return ZooAgent(
        name=recipe.name,
        env=config.env,
        model=config.model,
        rule=rule_of(config).removeprefix("the rule "),
        arithmetic=config.arithmetic or "float",
        seed=config.seed,
        episodes=len(target.read_episodes()["return"]),
        figure="discounted return" if discounted else "return",
        returns=returns,
        verdict=next((verdict for verdict in said if verdict != "exact"), "exact" if said else ""),
        files={file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    )


def write_list(agents: Iterable[ZooAgent], file: Path) -> None:
    """Write ``agents.json``."""
    write_json(file, {"agents": [dataclasses.asdict(agent) for agent in agents]})


def write_page(agents: Iterable[ZooAgent]) -> list[str]:
    """Return the table of docs/zoo.md."""
    columns = ("agent", "task", "network, rule", "learned in", "greedy return", "on Loihi")
    lines = table_head((*columns, "backends agree"))
    for agent in agents:
        digits = 3 if agent.figure != "return" else 1
        chip = agent.returns[ON_CHIP]
        own = next(iter(agent.returns.values()))
        figures = [f"{own:.{digits}f}", f"{chip:.{digits}f}"]
        names = [f"`zoo:{agent.name}`", agent.env, f"{agent.model}, {agent.rule}"]
        lines.append(table_row(*names, agent.arithmetic, *figures, agent.verdict or "-"))
    return lines
